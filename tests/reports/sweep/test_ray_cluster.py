"""A sweep on a Ray cluster that loses a machine, and one that is not there."""

from __future__ import annotations

import signal

import pytest

from defenses import BadInput
from reports.sweep import ray_cluster
from tests.reports.sweep.crossed import canonical, tasks


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


@pytest.mark.parametrize("address", [None, "127.0.0.1:1", "nonsense"])
def test_a_cluster_that_is_not_there_is_one_line(tmp_path, monkeypatch, address):
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(BadInput, match="no Ray cluster"):
        ray_cluster.run(tasks(tmp_path), address=address)
    assert not list(tmp_path.iterdir())
