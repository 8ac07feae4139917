"""Structural checks of a whole training loop, given a function that builds its trainer.

>>> import dataclasses, torch, victims
>>> from victims import conformance
>>> from victims.training.plan import make_plan
>>> from victims.training.trainer import Trainer
>>> training = victims.Training(
...     defense="dpsgd", defense_options={"noise_multiplier": 0.5}, batch_size=8, epochs=6
... )
>>> plan = make_plan(training, 32)  # public facts, fixed before the data are seen
>>> def build(inputs, labels):
...     model = victims.load_model("linear", image_shape=(1, 6, 6), classes=3)
...     return Trainer(dataclasses.replace(plan, examples=len(inputs)), model, inputs, labels)
>>> images, labels = torch.rand(32, 1, 6, 6), torch.arange(32) % 3
>>> all(finding.holds for finding in conformance.examine(build, images, labels))
True

``examine(build, inputs, labels)`` lists a `Finding` for each of `CHECKS`. `defenses.conformance`
looks at one release; these look at what surrounds it: who is in a batch, what an example does in
company, and whether the steps that are accounted are those that are taken.
"""

from torch import Tensor

from defenses.conformance.finding import Finding, finding_of
from victims.conformance.ledger import obedience, releases, sizes
from victims.conformance.loop import Build, Loop, LoopCheck
from victims.conformance.neighbours import memory, neighbours
from victims.conformance.sampling import sampling

CHECKS = [LoopCheck(judge) for judge in (sizes, sampling, neighbours, memory, releases, obedience)]


def examine(build: Build, inputs: Tensor, labels: Tensor, *, seed: int = 0) -> list[Finding]:
    """Every check's finding, in the order of `CHECKS`; arguments as for a `Loop`."""
    loop = Loop(build, inputs, labels, seed)
    return [finding_of(check.name, lambda c=check: c.judge(loop)) for check in CHECKS]  # type: ignore[misc]


__all__ = ["CHECKS", "Build", "Finding", "Loop", "LoopCheck", "examine"]
