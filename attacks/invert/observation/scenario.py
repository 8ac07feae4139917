"""What decides the result of an attack on a captured update."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attacks.invert.command import command_line
from attacks.invert.observation.flags import NOISES
from attacks.invert.observation.truth import truth_digest
from attacks.invert.scenario import Scenario
from defenses import BadInput
from reports.records.keyed import Keyed


@dataclass(frozen=True)
class Observed(Keyed):
    """A captured update and what is known of where it comes from.

    Attributes:
        scenario: data, model and defense that it is said to come from, and the attack.
        path: the file of the update.
        sha256: digest of that file, so that another update under the same name is another one.
        truth: files of the private pictures, to score the guesses by; empty where nobody has them.
        truth_sha256: of these files.
        train_mode: whether the update was made in training mode, see `in_training`.
        eval_mode: whether it is known that it was not; otherwise a model that acts differently in
            the two modes is warned of.
        noises: how many updates of noise are attacked for comparison, see `weigh`.
        later: files of further rounds of the same client on the same images, with their weights.
        later_sha256: of each of these files.
        kept_momentum: of the client's SGD, whose velocity outlives a round; 0: it does not.
    """

    scenario: Scenario
    path: Path
    sha256: str
    truth: tuple[Path, ...] = ()
    truth_sha256: str = ""
    train_mode: bool = False
    eval_mode: bool = False
    noises: int = NOISES
    later: tuple[Path, ...] = ()
    later_sha256: tuple[str, ...] = ()
    kept_momentum: float = 0.0

    @staticmethod
    def of(
        scenario: Scenario, paths: Sequence[Path], truth: Sequence[Path] = (), **facts: Any
    ) -> Observed:
        """The update in a file for each round, its truth in others, other attributes by name.

        Raises:
            BadInput: a file cannot be read.
        """
        private = truth_digest(truth) if truth else ""
        first, *later = map(_digest, paths)
        return Observed(
            scenario,
            paths[0],
            first,
            tuple(truth),
            private,
            later=tuple(paths[1:]),
            later_sha256=tuple(later),
            **facts,
        )

    def document(self) -> dict[str, Any]:
        """The Scenario's fields and the update's, as JSON holds them."""
        own: dict[str, Any] = {"observation": self.path.name, "observation_sha256": self.sha256}
        own["noises"] = self.noises
        if self.truth:
            own |= {"truth": [path.name for path in self.truth], "truth_sha256": self.truth_sha256}
        if self.train_mode:
            own["train_mode"] = True
        if self.later:
            own["later_rounds"] = [path.name for path in self.later]
            own["later_sha256"] = list(self.later_sha256)
        if self.kept_momentum:
            own["kept_momentum"] = self.kept_momentum
        return {**self.scenario.document(), **own}


def _digest(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} is not a readable safetensors file: {error}") from error


def command(seen: Observed) -> str:
    """The command that attacks the same update again."""
    start = Scenario()
    return command_line(
        seen.scenario,
        images=start.images,
        # As the flags have it: of no defense nothing else is attacked.
        against=[] if seen.scenario.defense == "none" else list(start.against),
        observation=[seen.path, *seen.later],
        truth=list(seen.truth) or None,
        train_mode=seen.train_mode,
        eval_mode=seen.eval_mode,
        noises=seen.noises,
        kept_momentum=seen.kept_momentum,
    )
