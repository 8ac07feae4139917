from __future__ import annotations

import os
import signal
import time

import pytest

from defenses import BadInput
from reports import records
from reports.sweep import processes, ray_cluster, serial
from reports.sweep.combine import cross
from reports.sweep.task import Outcome, Task, run_task

GRID = {
    "--data": ["digits"],
    "--model": ["mlp"],
    "--images": ["2"],
    "--attack": ["bayes"],
    "--iterations": ["15"],
    "--adaptive": ["true"],
    "--budget": ["600"],
    "--noise-multiplier": ["0.01", "0.1"],
    "--defense": ["dpsgd"],
}


def tasks(folder, **changed):
    flags = {**GRID, **changed}
    jobs = cross("attacks.invert", flags)
    return [Task(job, folder / job.key) for job in jobs]


def canonical(folder):
    found = {p.parent.name: records.read(p.parent) for p in folder.glob("*/result.json")}
    return {key: records.canonical(record) for key, record in found.items()}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("here")
    outcomes = list(serial.run(tasks(folder)))
    assert [o.error for o in outcomes] == [None, None]
    return canonical(folder)


def test_processes_make_the_same_records_byte_for_byte(tmp_path, expected):
    outcomes = list(processes.run(tasks(tmp_path), jobs=2))
    assert {o.key for o in outcomes} == set(expected)
    assert canonical(tmp_path) == expected


def dying(task: Task) -> Outcome:
    """What a process killed for memory looks like from outside: noise 0.1 once, 0.2 always."""
    mark = task.folder.parent / f"died-{task.job.key}"
    if "0.2" in task.job.again or ("0.1" in task.job.again and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome(task.job.key, 0.0)


def test_a_process_that_dies_costs_at_most_its_own_scenario(tmp_path):
    grid = tasks(tmp_path, **{"--noise-multiplier": ["0.1", "0.2", "0.3"]})
    outcomes = {o.key: o for o in processes.run(grid, jobs=2, work=dying)}
    once, always, never = (outcomes[task.job.key] for task in grid)
    assert once.error is never.error is None
    assert "abruptly" in always.error
    assert (tmp_path / always.key / "error.json").exists()


def slow(task: Task) -> Outcome:
    time.sleep(1.0)
    return run_task(task)


def test_abandoning_a_pool_ends_its_processes(tmp_path):
    running = processes.run(tasks(tmp_path), jobs=1, work=slow)
    next(running)
    running.close()
    time.sleep(2.0)
    assert len(list(tmp_path.glob("*/result.json"))) == 1


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
