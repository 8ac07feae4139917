"""Examples at the foot of each command's help."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "attacks.invert": (
        ("--defense dprs --rate 0.9", "the main job"),
        ("--defense topk --rate 0.99 --images 16", "another defense, more images"),
        ("--defense dpsgd --epsilon 8 --adaptive", "noise from a budget"),
        ("--data folder:my_images --size 32 --model mypkg.nets:small_cnn", "your own"),
        ("--defense none --observation captured.safetensors", "an update captured elsewhere"),
    ),
    "attacks.membership": (
        ("--defense dprs --rate 0.9 --epsilon 8", "eight shadow pairs, every attack"),
        ("--data digits --model mlp --count 200 --shadows 4", "quick"),
    ),
    "attacks.audit": (
        ("--defense dprs --epsilon 8 --batch-size 1000 --epochs 20 --lr 0.1", "is it true?"),
        ("--data digits --model mlp --canaries 400 --epochs 10", "quick"),
    ),
    "victims.train": (
        ("--defense dprs --epsilon 3 --data fashion-mnist", "train under a budget"),
        ("--defense dpsgd --epsilon 8 --secure", "for deployment"),
    ),
    "victims.transfer": (
        ("--method dp-fc --epsilon 1", "a private head"),
        ("--method dp-ls --epsilon 1 --data cifar10 --backbone raw", "on the pixels themselves"),
    ),
    "victims.federated": (
        ("--participants 30 --examples 600 --data mnist --theta-u 0.1", "share a tenth"),
        ("--rule fedavg --where server --defense dpsgd --epsilon 8", "user level"),
    ),
    "attacks.invert.heads": (("--method dp-gd --epsilon 8", "one method's head"),),
    "attacks.membership.heads": (("--method dp-gd --epsilon 8", "one method's head"),),
    "attacks.membership.updates": (
        ("--participants 10 --examples 100 --rounds 10", "whose data it has"),
        ("--rule fedavg --secure-aggregation", "from sums alone"),
    ),
    "attacks.audit.heads": (("--method dp-gd --epsilon 1", "is it true?"),),
    "reports.sweep": (
        ("--defense none dprs --rate 0 0.5 0.9 --noise-multiplier 0 0.01 --seeds 3", "a grid"),
        ("docs/studies/cliff.toml --dry-run", "what a study would run"),
    ),
    "reports.build": (
        ("runs/sweep --out report", "a page and a PDF"),
        ("runs/before runs/after --compare", "what changed"),
    ),
    "leakgauge compare": (("runs/before runs/after --out changes", "what changed"),),
    "attacks.invert.counting": (("--model resnet20-4 --rate 0.9", "without an attack"),),
    "attacks.invert.along": (("runs/train-HASH --moments 6", "six steps of a run"),),
    "attacks.invert.bench": (("--masked", "every attack under a known mask too"),),
    "leakgauge.growth": (
        ("--axes records scenarios", "pages and sweeps"),
        ("--figure growth.png --json growth.json", "everything, drawn"),
    ),
}
"""Command, as a module or where one module has two as it is typed -> words, what they are for."""


def examples(module: str, prog: str) -> str:
    """The foot of the help of a command, which was typed as ``prog``; empty where it has none."""
    lines = EXAMPLES.get(prog, EXAMPLES.get(module, ()))
    rows = [f"  {prog} {words}   # {told}\n" for words, told in lines]
    return "".join(["\nexamples:\n", *rows]) if rows else ""
