"""The parameter server: it gives parameters out, checks what comes back, and adds it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor

from victims.federated import wire
from victims.federated.counters import count, no_counts
from victims.federated.download import most_updated
from victims.federated.inform import inform
from victims.federated.plan import Plan
from victims.federated.reject import is_out_of_line, norm, reason_to_reject
from victims.training.streams import Streams

Answer = dict[str, Tensor] | str
"""What came of asking a participant: packed tensors, or why there are none ("crashed", "late")."""


class Server:
    """The state of a federation, and how it moves.

    Args:
        plan: of the federation.
        start: parameter name -> float32 weights, where everybody starts.
        draw: the server's generators, for noise of its own.
        sums: whether it sees the sum of a round's uploads alone, of rules that average them. It
            then cannot tell whose upload is out of line, and takes all or, where the sum is not
            finite or of no shape, none.

    Attributes:
        weights: parameter name -> the weights as they are now.
        counters: parameter name -> how often it was updated, see `victims.federated.counters`.
        asked: of each participant, how many uploads it was asked for.
        rejected: of each participant, reason -> how many of its uploads were not taken.
        norms: of the uploads that were added last, as many as there are participants; ``dssgd``.
        added: how many uploads were taken.
        ages: number of others' uploads that came in between -> how many uploads were so stale.
        sent: bytes that went to participants.
        received: bytes of the uploads that were taken.
        memory: what the server's own defense remembers.
    """

    def __init__(
        self, plan: Plan, start: Mapping[str, Tensor], draw: Streams, *, sums: bool = False
    ) -> None:
        self.plan, self.start, self.draw, self.sums = plan, dict(start), draw, sums
        self.weights = {k: v.clone() for k, v in start.items()}
        self.counters = no_counts(start)
        participants = plan.federation.participants
        self.asked = [0] * participants
        self.rejected: list[Counter[str]] = [Counter() for _ in range(participants)]
        self.norms: list[float] = []
        self.added = 0
        self.ages: Counter[int] = Counter()
        self.sent = self.received = 0
        self.memory: dict[str, Tensor] = {}

    def offer(self, participant: int) -> dict[str, Tensor]:
        """The packed parameters that a participant downloads, all or those updated most."""
        theta_d = self.plan.federation.theta_d
        mask = most_updated(self.counters, theta_d) if theta_d < 1 else None
        packed = dict(self.weights) if mask is None else wire.pack(self.weights, mask)
        self.asked[participant] += 1
        self.sent += wire.size(packed)
        return packed

    def check(self, participant: int, answer: Answer) -> dict[str, Tensor] | None:
        """The update in an answer where it can be taken; None, and counted, where it cannot."""
        if isinstance(answer, str):
            self.rejected[participant][answer] += 1
            return None
        zeros = {k: torch.zeros_like(v) for k, v in self.weights.items()}
        try:
            update = wire.unpack(answer, zeros)
        except (ValueError, RuntimeError):
            self.rejected[participant]["shape"] += 1
            return None
        reason = reason_to_reject(update, zeros)
        if reason is not None:
            self.rejected[participant][reason] += 1
            return None
        return {k: update[k] for k in self.weights}

    def take(self, participant: int, answer: Answer, size: float, usual: list[float]) -> bool:
        """Count an upload, as taken or as rejected for its norm. Returns whether it is taken.

        Args:
            participant: whose it is.
            answer: what it sent.
            size: the norm of its update.
            usual: norms to compare with.
        """
        if is_out_of_line(size, usual, self._factor):
            self.rejected[participant]["norm"] += 1
            return False
        self.added += 1
        self.received += wire.size(answer) if isinstance(answer, dict) else 0
        return True

    @property
    def _factor(self) -> float:
        """How far out of line a norm may be.

        Where the server's own defense guarantees something, norms are not compared: whether one
        participant is taken would then depend on another, which no sensitivity counts. Of a sum
        nobody can say whose norm is out of line.
        """
        plan = self.plan
        if self.sums:
            return math.inf
        guaranteed = plan.unit == "participant" and math.isfinite(plan.epsilon(1))
        return math.inf if guaranteed else plan.federation.norm_limit

    def _whole(
        self, answers: Mapping[int, Answer], checked: Mapping[int, dict[str, Tensor] | None]
    ) -> dict[int, dict[str, Tensor] | None]:
        """A round's updates as they come out of a sum: all that were sent, or none of them.

        Who crashed or is late is left out of the sum, which its protocol finds out; what was sent
        malformed or not finite spoils it, and everybody's upload is then lost.
        """
        sent = [i for i, answer in answers.items() if not isinstance(answer, str)]
        if all(checked[i] is not None for i in sent):
            return dict(checked)
        for i in sent:
            if checked[i] is not None:
                self.rejected[i]["sum"] += 1
        return dict.fromkeys(checked)

    def add(self, participant: int, answer: Answer, age: int) -> None:
        """Add one upload to the weights: w <- w - update (Shokri and Shmatikov 2015, Section 5).

        Args:
            participant: whose it is.
            answer: what it sent.
            age: how many uploads were added since it was asked.
        """
        update = self.check(participant, answer)
        if update is None or not self.take(participant, answer, norm(update), self.norms):
            return
        self.ages[age] += 1
        self.norms = [*self.norms, norm(update)][-self.plan.federation.participants :]
        self.weights = {k: v - update[k] for k, v in self.weights.items()}
        if self.plan.federation.theta_d < 1:
            self.counters = count(self.counters, update, self.plan.federation.decay)

    def combine(self, answers: Mapping[int, Answer], round: int) -> None:
        """One step along the mean of a round's uploads, or along what the defense makes of them.

        The mean is over those that were taken; a defense that guarantees something divides by the
        expected number, which is public.
        """
        f, plan = self.plan.federation, self.plan
        checked = {i: self.check(i, answers[i]) for i in sorted(answers)}
        if self.sums:
            checked = self._whole(answers, checked)
        sizes = {i: norm(update) for i, update in checked.items() if update is not None}
        usual = list(sizes.values())
        taken = [i for i, size in sizes.items() if self.take(i, answers[i], size, usual)]
        self.ages[0] += len(taken)
        updates = [update for i, update in checked.items() if i in taken and update is not None]
        step = f.lr if f.rule == "fedsgd" else 1.0
        if f.where == "server":
            rows = {
                k: torch.stack([u[k] for u in updates]) if updates else v.new_zeros(0, *v.shape)
                for k, v in self.weights.items()
            }
            release = inform(plan, self.weights, self.start, self.memory).release(
                rows,
                step=round,
                steps=f.rounds,
                batch_size=plan.divisor,
                generator=self.draw("server", round),
            )
            mean = release.update
        elif updates:
            mean = {k: torch.stack([u[k] for u in updates]).mean(0) for k in self.weights}
        else:
            return
        self.weights = {k: v - step * mean[k] for k, v in self.weights.items()}
