"""The same apps on Flower's own engines; slow, and only where these are installed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("flwr", reason="the extra federated is not installed")

from reports import records

ROOT = Path(__file__).parents[3]
ENGINE = os.environ.get("LEAKGAUGE_FLOWER", "")
"""Python of an environment with the extra federated-sim, whose Ray is another than ours."""
FLAGS = ["--participants", "3", "--examples", "40", "--model", "linear", "--rounds", "2"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not ENGINE, reason="$LEAKGAUGE_FLOWER names no Python with federated-sim"),
]


@pytest.fixture
def env(tmp_path):
    told = {"PYTHONPATH": str(ROOT), "FLWR_HOME": str(tmp_path / "flwr")}
    told |= {"FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    return {**os.environ, **told, "PATH": f"{Path(ENGINE).parent}:{os.environ['PATH']}"}


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "weights.safetensors")


def here(tmp_path, env, flags):
    words = [sys.executable, "-m", "victims.federated", *flags, "--out", str(tmp_path / "here")]
    subprocess.run(words, env=env, check=True, capture_output=True)
    return tmp_path / "here"


def same(one, other):
    first, second = weights(one), weights(other)
    assert all(torch.allclose(first[k], second[k], atol=1e-6) for k in first)
    rows = [records.read(folder).rows for folder in (one, other)]
    assert [row["step"] for row in rows[0]] == [row["step"] for row in rows[1]]


def test_the_simulation_engine_comes_to_the_same_weights(tmp_path, env):
    words = [ENGINE, "-m", "victims.federated", *FLAGS, "--engine", "simulation"]
    done = subprocess.run(
        [*words, "--out", str(tmp_path / "ray")],
        env=env,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    same(here(tmp_path, env, FLAGS), tmp_path / "ray")


def test_flwr_run_comes_to_the_same_weights_and_its_superlink_ends_with_the_test(tmp_path, env):
    app = ROOT / "docs/examples/federated_app"
    flags = "--participants 2 --examples 40 --model linear --rounds 2"
    config = f'flags="{flags}" out="{tmp_path / "run"}"'
    before = superlinks(env)
    try:
        words = ["flwr", "run", str(app), "--stream", "--run-config", config]
        done = subprocess.run(
            words, env=env, capture_output=True, text=True, timeout=600, check=False, cwd=tmp_path
        )
        assert (tmp_path / "run/result.json").exists(), done.stdout[-3000:] + done.stderr[-2000:]
    finally:
        for pid in superlinks(env) - before:
            os.kill(pid, signal.SIGTERM)
    same(here(tmp_path, env, flags.split()), tmp_path / "run")


def superlinks(env) -> set[int]:
    """Processes of a superlink that was started with this test's FLWR_HOME."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            told = (path / "environ").read_bytes().split(b"\0")
            words = (path / "cmdline").read_bytes()
        except OSError:
            continue
        if f"FLWR_HOME={env['FLWR_HOME']}".encode() in told and b"superlink" in words:
            found.add(int(path.name))
    return found
