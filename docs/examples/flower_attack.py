"""What the update of a Flower client with one photograph gives away: run it, then attack it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

# Clients run in processes of their own, which import their app from here.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, (str(Path(__file__).parent.resolve()), os.environ.get("PYTHONPATH")))
)

from flower_app import client, server
from flwr.simulation import run_simulation

from attacks.invert.__main__ import main as invert


def main(argv: Sequence[str] | None = None) -> int:
    """Run server and client once, then attack the client's update; the attack's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/flower"))
    parser.add_argument("--image", type=int, default=1, help="which photograph (default 1)")
    arguments = parser.parse_args(argv)
    folder = arguments.out.resolve()  # clients run in processes and folders of their own
    run_simulation(server(), client(folder, arguments.image), num_supernodes=1)
    (update,) = folder.glob("round-1-client-*.safetensors")
    seen = ["--observation", str(update), "--defense", "none", "--model", "lenet"]
    return invert([*seen, "--out", str(folder / "attack")])


if __name__ == "__main__":
    raise SystemExit(main())
