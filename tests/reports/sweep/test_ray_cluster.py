"""A sweep on a Ray cluster that loses a machine, and one that is not there."""

from __future__ import annotations

import signal

import pytest

from defenses import BadInput
from reports.sweep import ray_cluster
from tests.reports.sweep.crossed import canonical, tasks
from tests.reports.sweep.pretended_ray import PretendedRay


@pytest.fixture
def bounded():
    """Three minutes for a cluster that may never answer."""

    def late(*_):
        raise TimeoutError("Ray did not answer within three minutes")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(180)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.slow
def test_ray_that_loses_a_machine_in_mid_sweep_makes_the_same_records(
    tmp_path, monkeypatch, bounded, expected
):
    ray = pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    from ray.cluster_utils import Cluster

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    # Its workers would run at nice 15, and starve beside the other tests.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
        seeds = tasks(tmp_path, **{"--seed": ["0", "1", "2"]})
        outcomes = ray_cluster.run(seeds, address=cluster.address)
        ended = [next(outcomes)]
        cluster.remove_node(nodes[1], allow_graceful=False)
        ended += outcomes
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert [o.error for o in ended] == [None] * 6
    found = canonical(tmp_path)
    assert len(found) == 6
    assert {key: found[key] for key in expected} == expected


def pretend(monkeypatch, **how) -> PretendedRay:
    """A cluster in this process in place of the one at any address."""
    ray = PretendedRay(**how)
    monkeypatch.setattr(ray_cluster, "_connect", lambda address: ray)
    return ray


def test_what_others_made_is_written_here_byte_for_byte(tmp_path, monkeypatch, expected):
    ray = pretend(monkeypatch)
    outcomes = list(ray_cluster.run(tasks(tmp_path), address=None))
    assert {o.key: o.error for o in outcomes} == dict.fromkeys(expected)
    assert canonical(tmp_path) == expected
    assert ray.asked["max_retries"] == ray_cluster.RETRIES
    assert (ray.asked["num_cpus"], ray.asked["num_gpus"]) == (1, 0)
    assert ray.asked["runtime_env"]["env_vars"]["OMP_NUM_THREADS"] == "1"
    assert ray.ended and not ray.cancelled


def test_a_machine_that_is_lost_for_good_costs_its_own_scenario(tmp_path, monkeypatch, expected):
    ray = pretend(monkeypatch, lost=frozenset({1}))
    grid = tasks(tmp_path)
    outcomes = ray_cluster.run(grid, address=None)
    first = next(outcomes)
    assert (first.key, "the machine is lost" in first.error) == (grid[1].job.key, True)
    assert (tmp_path / first.key / "error.json").exists()
    outcomes.close()
    assert ray.cancelled == [0] and ray.ended


@pytest.mark.parametrize("address", [None, "127.0.0.1:1", "nonsense"])
def test_a_cluster_that_is_not_there_is_one_line(tmp_path, monkeypatch, address):
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(BadInput, match="no Ray cluster"):
        ray_cluster.run(tasks(tmp_path), address=address)
    assert not list(tmp_path.iterdir())
