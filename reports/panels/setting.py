"""A defense at its options, attacked, and what the numbers show."""

from __future__ import annotations

from dataclasses import dataclass

from reports.estimates import NOTHING, Estimate
from reports.estimates.intervals import FEWEST, LEVEL
from reports.evidence.control import CANNOT_JUDGE, NO_CONTROL, UNDEFENDED, doubt
from reports.panels.pooled import EXCEEDS, GAIN, NAMES, PooledScores
from reports.panels.variant import Variant
from reports.records.find import Source
from reports.records.inversion import Guarantee

FALSE = "the guarantee is false"

LEAKS = "leaks"

NAMED = "named; rebuilding not shown"

NAMED_FEW = "named; too few images to say more"

NOT_SHOWN = "nothing beyond guessing shown"

UNKNOWN = "too few images to say"

UNSCORED = "no truth to compare with"

ALPHA = (1 - LEVEL) / 2
"""One-sided, and of all settings, attackers and tests of a panel together, see `verdicts.judge`: so
often something is said that is not so."""

ASTRAY = "the naive attacker finds more: the defense's replay does not explain its releases"

OUTDONE = "naive above adaptive"
"""Of a setting where the adaptive attack is not the strongest one."""

VISIBLE = 0.05
"""dB; a smaller difference of two means is not seen in what is printed."""


@dataclass(frozen=True)
class Setting:
    """A defense at its options, attacked.

    Attributes:
        anchor: names its row within the page.
        defense: the defense's name.
        guarantee: what theory says, options included.
        scores: attacker -> its scores, of ``adaptive`` and ``naive`` those that were run.
        sources: the Records that its numbers are from.
        label: for people; unique within the panel.
        rounds: of a scheduled defense, every round that was attacked; else nothing.
        control: whether the attack rebuilds the panel's undefended updates, see
            `reports.evidence.control`.
        asked: whether a Scenario is about this defense; else it was only attacked beside another.
    """

    anchor: str
    defense: str
    guarantee: Guarantee
    scores: dict[str, PooledScores]
    sources: tuple[Source, ...]
    label: str
    rounds: tuple[Setting, ...] = ()
    control: str = NO_CONTROL
    asked: bool = False

    @property
    def variant(self) -> Variant:
        """The defense at its options."""
        return Variant(self.defense, self.guarantee.options)

    @property
    def defended(self) -> bool:
        """Whether there is a defense at all."""
        return self.defense != UNDEFENDED

    def option(self, name: str) -> float | None:
        """The value of a numeric option; None when the defense has none of this name."""
        value = self.guarantee.options.get(name)
        return None if value is None or isinstance(value, bool | str) else float(value)

    @property
    def judged(self) -> PooledScores | None:
        """The adaptive attacker's scores when there are any, else the naive one's."""
        return self.scores.get("adaptive", self.scores.get("naive"))

    def stronger(self, test: str = GAIN) -> PooledScores | None:
        """The scores that the verdict is about: those of the attacker who shows more.

        Args:
            test: `GAIN` compares PSNR above guessing, `NAMES` and `EXCEEDS` the candidate game.
        """
        own, naive = self.judged, self.scores.get("naive")
        if own is None or naive is None:
            return own
        if test == GAIN:
            return naive if naive.gain.mean > own.gain.mean + VISIBLE else own
        return naive if naive.named.mean > own.named.mean else own

    @property
    def outdone(self) -> str:
        """That the naive attack scores higher than the adaptive one, in words; else empty."""
        own = self.judged
        parts = []
        for test, what, of in ((GAIN, "PSNR ", _decibel), (NAMES, "", _naming_share)):
            best = self.stronger(test)
            if own is not None and best is not None and best is not own:
                parts.append(f"{what}{of(best)} against {of(own)}")
        if not parts:
            return ""
        return f"{OUTDONE} ({', '.join(parts)}): the adaptive attack is not the strongest here"

    def estimate(self, attacker: str, name: str) -> Estimate:
        """See `PooledScores.estimate`; nothing where the attacker was not run."""
        return self.scores[attacker].estimate(name) if attacker in self.scores else NOTHING

    @property
    def gain(self) -> Estimate:
        """Adaptive PSNR above guessing, dB, paired by image."""
        return self.scores["adaptive"].gain if "adaptive" in self.scores else NOTHING

    @property
    def named(self) -> Estimate:
        """Share of images that the adaptive attacker names at the first try."""
        return self.scores["adaptive"].named if "adaptive" in self.scores else NOTHING

    def shows(self, test: str, attacker: str = "") -> bool:
        """Whether a test of the attacker who is named comes out, or of any."""
        found = self.scores.items()
        return any(s.p(test, self.guarantee) < ALPHA for n, s in found if attacker in ("", n))

    @property
    def verdict(self) -> str:
        """What the stronger attack shows: against the guarantee, then against guessing, image by
        image, then in the candidate game. No verdict says that a setting is safe, and an attack
        that fails without a defense too gives none."""
        if self.shows(EXCEEDS):
            return FALSE
        if self.shows(GAIN):
            return LEAKS
        column = self.judged
        if self.shows(NAMES):
            return NAMED_FEW if self.few else NAMED
        if column is None or not column.gain.known:
            return UNSCORED
        if self.few:
            return UNKNOWN
        return CANNOT_JUDGE if self.doubt else NOT_SHOWN

    @property
    def few(self) -> bool:
        """Whether the images are too few for an interval of the gain, whatever was rebuilt."""
        column = self.judged
        return column is not None and column.gain.known and column.gain.n < FEWEST

    @property
    def doubt(self) -> str:
        """Why finding nothing here is no evidence; empty where it is some."""
        return self.doubt_of("adaptive" if "adaptive" in self.scores else "naive")

    def doubt_of(self, attacker: str) -> str:
        """Why it is no evidence that this attacker finds nothing; empty where it is some."""
        clocked = attacker in self.scores and self.scores[attacker].clocked
        naive_alone = self.defended and "adaptive" not in self.scores
        astray = attacker == "adaptive" and self.astray
        misreplayed = attacker == "adaptive" and bool(self.guarantee.replay)
        return doubt(self.control, clocked, naive_alone, misreplayed) or (ASTRAY if astray else "")

    @property
    def astray(self) -> bool:
        """Whether the naive attacker shows what the one who should know more does not: the
        defense's replay does not explain its releases, and misleads who follows it."""
        if not {"adaptive", "naive"} <= self.scores.keys():
            return False
        naive, own = self.scores["naive"], self.scores["adaptive"]
        more = {GAIN: naive.gain.mean > own.gain.mean, NAMES: naive.named.mean > own.named.mean}
        return any(
            self.shows(t, "naive") and not self.shows(t, "adaptive") and more[t] for t in more
        )

    @property
    def misleads(self) -> bool:
        """Whether the naive attacker shows nothing where the adaptive one leaks."""
        naive = self.scores.get("naive")
        enough = naive is not None and naive.gain.n >= FEWEST
        naive_shows_leak = self.shows(GAIN, "naive")
        adaptive_shows_leak = self.shows(GAIN, "adaptive")
        return enough and adaptive_shows_leak and not naive_shows_leak


def _decibel(scores: PooledScores) -> str:
    return f"{scores.estimate('psnr').mean:.1f} dB"


def _naming_share(scores: PooledScores) -> str:
    return f"{scores.named.mean:.0%} named"
