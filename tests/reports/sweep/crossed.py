"""A small sweep and its Records, for every executor."""

from __future__ import annotations

from reports import records
from reports.sweep.combine import cross
from reports.sweep.task import Task

GRID = {
    "--data": ["digits"],
    "--model": ["mlp"],
    "--images": ["1"],
    "--candidates": ["8"],
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
