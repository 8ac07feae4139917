"""Refuses a class part of which one of its callers would pass by.

A defense is called through several doors: `Defense.release` by attacks and tests, the parts of a
`Summed` by trainers and by the Opacus optimizer, `Defense.effective_noise` by accountants. What a
class overrides must act behind every one of them, or an epsilon is counted for what does not
happen. So this is said when the class is made, before anything is trained.
"""

from __future__ import annotations

from defenses.errors import BadInput


def owner_of(cls: type, name: str) -> type:
    """The class that an attribute of ``cls`` is written in."""
    return next(c for c in cls.__mro__ if name in vars(c))


def refuse_release(cls: type, base: type) -> None:
    """Raise `BadInput` where a sum over examples has a ``release`` that is not ``base``'s.

    Trainers call ``plan``, ``contribute`` and ``finish``, and never ``release``.
    """
    if owner_of(cls, "release") is not base:
        raise BadInput(
            f"{cls.__name__} is a sum over examples and overrides release, which trainers pass by: "
            "they call plan, contribute and finish; override finish, or derive from Defense"
        )


def refuse_sum_of_others(cls: type) -> None:
    """Raise `BadInput` where ``linear`` was said of another ``contribute`` than the class has.

    Trainers give a linear defense the sum of a batch as if it were one example.
    """
    said, written = owner_of(cls, "linear"), owner_of(cls, "contribute")
    if getattr(cls, "linear", False) and issubclass(written, said) and written is not said:
        raise BadInput(
            f"{cls.__name__} overrides contribute of a linear defense, which trainers give the sum "
            "of a batch as one example: say linear = False, or derive from Summed"
        )


def refuse_two_guarantees(cls: type, base: type) -> None:
    """Raise `BadInput` where a class has an ``epsilon`` of its own beside ``effective_noise``.

    Accountants, which compose several runs, take the noise and never ask for the epsilon.
    """
    if all(owner_of(cls, name) is not base for name in ("epsilon", "effective_noise")):
        raise BadInput(
            f"{cls.__name__} has an epsilon beside effective_noise, which is all that accountants "
            "take: leave out epsilon, or derive from a class without effective_noise"
        )
