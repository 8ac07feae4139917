"""Releases of chosen private examples along a training run, as files that attacks take."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from defenses import BadInput, preprocessing
from defenses.randomness import seeded
from reports.records import atomic
from victims.training.prepare import Prepared
from victims.training.trainer import Trainer
from victims.training.weights import write_weights


def watcher(
    prepared: Prepared, folder: Path, *, every: int, images: int
) -> Callable[[Trainer], None]:
    """What a run should call before each step.

    Before every ``every``-th step it writes, into ``folder/step-NNNNNN``, ``weights.safetensors``
    and ``example-I.safetensors``: the update that a client holding private example I alone would
    release at that step, with noise of its own that the training never sees. The examples lie in
    ``folder/truth.safetensors``. All of it can be given to ``python -m attacks.invert
    --observation``. Recording changes nothing of the training.

    Args:
        prepared: the run.
        folder: where the files go.
        every: steps between recordings; 0 records nothing.
        images: the first so many private examples.

    Raises:
        BadInput: negative numbers, or more images than there are.
    """
    if every < 0 or (every and not 1 <= images <= len(prepared.train.labels)):
        raise BadInput(
            f"cannot record {images} images every {every} steps of {len(prepared.train.labels)} "
            "examples"
        )

    def record(trainer: Trainer) -> None:
        if not every or trainer.step % every:
            return
        if not (folder / "truth.safetensors").exists():
            truth = {
                "images": prepared.train.images[:images],
                "labels": prepared.train.labels[:images],
            }
            _write(truth, folder / "truth.safetensors", {})
        place = folder / f"step-{trainer.step:06d}"
        write_weights(trainer, place / "weights.safetensors", averaged=False)
        training = trainer.plan.training
        # In eval mode neither BatchNorm's statistics nor dropout's generator move.
        preprocessing.let_draw(trainer.net.eval())
        for index in range(images):
            part = slice(index, index + 1)
            example = trainer.inputs[part].to(trainer.device)
            draw = trainer.draw("record", trainer.step, index)
            with seeded(draw):
                release = trainer.release(
                    preprocessing.random_views(trainer.plan.defense, example, draw),
                    trainer.labels[part].to(trainer.device),
                    draw,
                    size=1,
                )
            facts: dict[str, Any] = {
                k: v for k, v in release.public.items() if isinstance(v, int | float)
            }
            facts |= {
                "defense": training.defense,
                "step": trainer.step,
                "steps": trainer.plan.steps,
            }
            facts["wire_bytes"] = release.wire_bytes
            _write(
                release.update,
                place / f"example-{index}.safetensors",
                {"public": json.dumps(facts)},
            )

        trainer.net.train()

    return record


def _write(tensors: dict[str, Tensor], path: Path, about: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as scratch:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, scratch, about)
