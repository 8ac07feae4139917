"""Records what chosen private examples would release along a run, as files that attacks take."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from defenses import BadInput, Release, preprocessing
from defenses.randomness import seeded
from reports.records import atomic
from victims.training.prepare import Prepared
from victims.training.trainer import Trainer
from victims.training.weights import write_weights


@dataclass(frozen=True)
class Recorder:
    """Called before each step of a run, writes what single examples would release at some of them.

    Before every ``every``-th step it writes, into ``folder/step-NNNNNN``, ``weights.safetensors``
    and ``example-I.safetensors``: the update that a client holding private example I alone would
    release at that step, with noise of its own that the training never sees. The examples lie in
    ``folder/truth.safetensors``. All of it can be given to ``python -m attacks.invert
    --observation``. Recording changes nothing of the training.

    Attributes:
        run: the run that is recorded.
        folder: the folder that the files are written to.
        every: the number of steps between recordings; 0 records nothing.
        images: how many private examples are recorded, the first ones.

    Raises:
        BadInput: negative numbers, or more images than there are.
    """

    run: Prepared
    folder: Path
    every: int
    images: int

    def __post_init__(self) -> None:
        examples = len(self.run.train.labels)
        if self.every < 0 or (self.every and not 1 <= self.images <= examples):
            raise BadInput(
                f"cannot record {self.images} images every {self.every} steps of {examples} "
                "examples"
            )

    def __call__(self, trainer: Trainer) -> None:
        """Write the files of the step that is to come, where it is one of those recorded."""
        if not self.every or trainer.step % self.every:
            return
        self._write_truth()
        place = self.folder / f"step-{trainer.step:06d}"
        write_weights(self.run, place / "weights.safetensors", averaged=False)
        # In eval mode neither BatchNorm's statistics nor dropout's generator move.
        preprocessing.let_draw(trainer.net.eval())
        for index in range(self.images):
            release = _alone(trainer, index)
            about = {"public": json.dumps(_facts(trainer, release))}
            _write(release.update, place / f"example-{index}.safetensors", about)
        trainer.net.train()

    def _write_truth(self) -> None:
        path = self.folder / "truth.safetensors"
        if not path.exists():
            train = self.run.train
            truth = {"images": train.images[: self.images], "labels": train.labels[: self.images]}
            _write(truth, path, {})


def _alone(trainer: Trainer, index: int) -> Release:
    """What private example ``index`` would release now, alone in its batch."""
    part = slice(index, index + 1)
    example = trainer.inputs[part].to(trainer.device)
    draw = trainer.draw("record", trainer.step, index)
    with seeded(draw):
        return trainer.release(
            preprocessing.random_views(trainer.plan.defense, example, draw),
            trainer.labels[part].to(trainer.device),
            draw,
            size=1,
        )


def _facts(trainer: Trainer, release: Release) -> dict[str, int | float | str]:
    """What is public about a release, as numbers and words."""
    plan = trainer.plan
    return {
        **{k: v for k, v in release.public.items() if isinstance(v, int | float)},
        "defense": plan.training.defense,
        "step": trainer.step,
        "steps": plan.steps,
        "wire_bytes": release.wire_bytes,
    }


def _write(tensors: dict[str, Tensor], path: Path, about: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as scratch:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, scratch, about)
