"""``python -m attacks.curves``: how sparsity and noise change what one gradient gives away."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from attacks.flags import Parser, command

PROG = "python -m attacks.curves"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--rate", type=float, nargs="+", default=[0.0, 0.5, 0.9, 0.99], help="shares dropped")
    add("--noise-multiplier", type=float, nargs="+", default=[0.0, 1e-3, 1e-2, 1e-1])
    add("--clip", type=float, default=1.0)
    add("--data", default="photos", help="see attacks.invert (default photos)")
    add("--data-root")
    add("--images", type=int, default=8, help="private images per setting (default 8)")
    add("--model", default="lenet")
    add("--budget", type=float, default=10.0, help="attacker's seconds per image (default 10)")
    add("--seed", type=int, default=0)
    add("--out", type=Path, default=Path("runs/curves"))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is missing of rate x noise under dprs, draw it, print a table; 0 when done."""
    arguments = parse(argv)
    from attacks.progress import Progress
    from attacks.scenario import Scenario, run
    from reports import records
    from reports.confidence import show
    from reports.curves import rate_and_noise

    scenarios = [
        Scenario(
            data=arguments.data,
            images=arguments.images,
            model=arguments.model,
            defense="dprs",
            defense_options={"rate": r, "noise_multiplier": n, "clip": arguments.clip},
            against=(),
            columns="adaptive",
            budget=arguments.budget,
            seed=arguments.seed,
        )
        for n in arguments.noise_multiplier
        for r in arguments.rate
    ]
    done = []
    for turn, scenario in enumerate(scenarios):
        out = arguments.out / scenario.key()
        record = records.read(out)
        if record is None:
            with Progress(f"{turn + 1}/{len(scenarios)} ") as bar:
                record = run(scenario, out=out, data_root=arguments.data_root, report=bar)
            records.write(record, out)
        done.append(record)
    print("| noise multiplier | rate | PSNR dB | SSIM | LPIPS | labels found | epsilon |")
    print("|---|---|---|---|---|---|---|")
    for record in done:
        bound, summary = record.bounds["dprs"], record.summary["dprs/adaptive"]
        options = bound["options"]
        found = sum(r["label"] == r["label_found"] for r in record.rows)
        cells = [show(summary["psnr"]), show(summary["ssim"], 2), show(summary["lpips"], 2)]
        epsilon = "inf" if bound["epsilon"] is None else f"{bound['epsilon']:,.4g}"
        print(
            f"| {options['noise_multiplier']:g} | {options['rate']:g} | {' | '.join(cells)} "
            f"| {found}/{len(record.rows)} | {epsilon} |"
        )
    print(f"\n{rate_and_noise(done, arguments.out / 'rate-and-noise.png')}")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, "")
    command(main, PROG)
