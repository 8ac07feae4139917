"""What a sweep is said to cost before it starts: what its Scenarios expect, less what is kept."""

from __future__ import annotations

import pytest

import attacks.invert.study
from reports.sweep import command
from reports.sweep.cost import expected, seconds_of
from reports.sweep.study_file import jobs_of
from reports.sweep.task import Task

FLAGS = {"--data": ["digits"], "--model": ["linear"], "--images": ["1"], "--attack": ["analytic"]}
FLAGS |= {"--defense": ["none"], "--candidates": ["1"]}


@pytest.fixture
def tasks(tmp_path):
    jobs = jobs_of("attacks.invert", {**FLAGS, "--seed": ["0", "1", "2", "3", "4"]}, [])
    return [Task(job, tmp_path / job.key) for job in jobs]


@pytest.fixture
def says(monkeypatch):
    """Let every inversion expect so many seconds; nothing of it may run."""

    def foretell(seconds):
        def foretold(*given):
            return seconds

        monkeypatch.setattr(attacks.invert.study, "seconds_of", foretold)
        monkeypatch.setattr(attacks.invert.study, "attack_column", lambda *given: 1 / 0)

    return foretell


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_few_speak_for_all(jobs, tasks, says):
    says(8.0)
    assert seconds_of(tasks, jobs, here=True) == (5 * 8.0 / jobs, 3)


def test_one_alone_is_asked_once(tasks, says):
    says(8.0)
    assert seconds_of(tasks[:1], 1, here=True) == (8.0, 1)


def test_what_cannot_be_run_says_nothing(tasks, monkeypatch):
    monkeypatch.setattr(attacks.invert.study, "load_cast", lambda *given, **named: 1 / 0)
    assert expected(tasks[0]) is None
    assert seconds_of(tasks, 1, here=True) == (0.0, 0)


def test_a_process_of_its_own_says_the_same_kind_of_thing(tasks):
    seconds, asked = seconds_of(tasks[:2], 1, here=False)
    assert asked == 2 and 0 < seconds < 60
    assert not any((task.folder / "result.json").exists() for task in tasks)


def test_the_command_says_it_before_it_starts(says, monkeypatch, tmp_path, capsys):
    says(700.0)
    monkeypatch.setattr(command.serial, "run", lambda tasks: iter(()))
    words = [word for flag, values in FLAGS.items() for word in (flag, *values)]
    command.main(["invert", *words, "--jobs", "1", "--out", str(tmp_path / "out")])
    assert "about 12 min on this machine, together\n" in capsys.readouterr().err
