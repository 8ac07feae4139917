"""Our membership attacks against other implementations, on the same target and shadow logits.

The others are packages that score logits or probabilities of anybody's models:

    pip install --no-deps tensorflow-privacy==0.8.12 privacyguard-platform==0.0.2 mialibrary==0.1.5
    pip install 'pandas<3'
    python -m pytest -m slow -n0 -s tests/attacks/membership/test_membership.py

prints every comparison as a Markdown table; docs/membership.md holds its essence. The models are
trained once, by the functions of the command, and kept in pytest's cache.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version

import joblib
import numpy as np
import pytest

from attacks import membership
from attacks.membership import Evidence
from attacks.membership.command import parse
from attacks.membership.command import scenario as scenario_of
from attacks.membership.shadows.candidates import draw
from attacks.membership.shadows.train_all import train_all
from attacks.membership.signals import logits as signals
from attacks.membership.study import evidence as collected
from defenses import BadInput
from reports import detection

SETTING = (
    "--data cifar10 --model lenet5 --count 5000 --population 2000 --defense none --lr 0.02 "
    "--momentum 0.9 --schedule cosine --batch-size 64 --epochs 30 --shadows 32 --watched 0 "
    "--layout channels-last"
)
RATES = (0.1, 0.01, 0.001)
RESAMPLES = 500
SLACK = 0.002
"""So much less AUC still counts as equal: ties, and where options differ in the last digit."""
OURS = {
    "LiRA online": ("lira", {}),
    "LiRA offline": ("lira", {"mode": "offline"}),
    "RMIA online": ("rmia", {}),
    "RMIA offline": ("rmia", {"mode": "offline"}),
}
Scored = Iterator[tuple[str, str, np.ndarray]]
"""Attack of `OURS`, the options, and a score per example, higher = member."""


class Signals:
    """What the others take, from our `Evidence`: phi and p of the true label, as numpy."""

    def __init__(self, evidence: Evidence, truth: np.ndarray) -> None:
        def both(signal: Callable, target: object, shadows: object, labels: object) -> tuple:
            own = signal(target, labels)[:, 0].numpy()
            return own, np.stack([signal(s, labels)[:, 0].numpy() for s in shadows])

        e = evidence
        self.evidence, self.truth, self.members = e, truth, e.members.numpy()
        self.phi, self.phis = both(signals.log_odds, e.target, e.shadows, e.labels)
        self.p, self.ps = (
            np.exp(x) for x in both(signals.log_likelihood, e.target, e.shadows, e.labels)
        )
        self.z, self.zs = (
            np.exp(x)
            for x in both(
                signals.log_likelihood,
                e.population_target,
                e.population_shadows,
                e.population_labels,
            )
        )
        sides = [(self.phis[m, n], self.phis[~m, n]) for n, m in enumerate(self.members.T)]
        self.inside, self.outside = zip(*sides, strict=True)


def of_tensorflow_privacy(s: Signals) -> Scored:
    """Its scores are low for members."""
    sys.skip_tf_privacy_import = True  # its own switch: nothing here needs TensorFlow
    mia = pytest.importorskip(
        "tensorflow_privacy.privacy.privacy_tests.membership_inference_attack.advanced_mia"
    )
    phi, inside, outside = s.phi[:, None], *([x[:, None] for x in v] for v in (s.inside, s.outside))
    for fixed in (True, False):
        for centre in ("median", "mean"):
            name = f"{'fixed' if fixed else 'per-example'} variance, {centre}"
            both = mia.compute_score_lira(phi, inside, outside, "both", fixed, centre)
            yield "LiRA online", name, -both
            out = mia.compute_score_lira(phi, inside, outside, "out", fixed, centre)
            yield "LiRA offline", name, -out
    for centre in ("median", "mean"):
        out = mia.compute_score_offset(phi, inside, outside, "out", centre)
        yield "LiRA offline", f"offset, {centre}", out


def of_mialibrary(s: Signals) -> Scored:
    lira = pytest.importorskip("mialibrary.lira.simple_lira")
    rmia = pytest.importorskip("mialibrary.rmia.compute_score")
    everyone = np.concatenate([s.truth[None], s.members])
    phis = np.concatenate([s.phi[None], s.phis])[..., None]
    parts = lira.get_shadow_stats(phis, everyone, 0)
    for fixed in (True, False):
        for median in (True, False):
            name = (
                f"{'fixed' if fixed else 'per-example'} variance, {'median' if median else 'mean'}"
            )
            scores = lira.run_simple_lira(*parts, fix_variance=fixed, use_median=median)
            yield "LiRA online", name, scores
    p, z = np.concatenate([s.p[None], s.ps]), np.concatenate([s.z[None], s.zs])
    yield "RMIA online", "", rmia.compute_score_rmia(p, z, everyone, False)[0]
    yield "RMIA offline", "", rmia.compute_score_rmia(p, z, everyone, True)[0]


def of_privacy_guard(s: Signals) -> Scored:
    pandas = pytest.importorskip("pandas")
    lira = pytest.importorskip("privacy_guard.attacks.lira_attack").LiraAttack
    rmia = pytest.importorskip("privacy_guard.attacks.rmia_attack").RmiaAttack
    kept = pytest.importorskip("privacy_guard.analysis.mia.aggregate_analysis_input")
    alone, ids = kept.AggregationType.NONE, np.arange(len(s.truth))
    spread = {
        f"{what}_{side}": [getattr(x, call)(**more) for x in values]
        for side, values in (("in", s.inside), ("out", s.outside))
        for what, call, more in (("score_mean", "mean", {}), ("score_std", "std", {"ddof": 1}))
    }
    columns = {"user_id": ids, "score_orig": s.phi, **spread}
    columns |= {k: spread[f"{k}_out"] for k in ("score_mean", "score_std")}
    table = pandas.DataFrame(columns)

    def run(attack: object) -> np.ndarray:
        attack.run_attack()
        joined = pandas.concat([attack.df_train_merge, attack.df_test_merge])
        return joined.set_index("user_id").score.loc[ids].to_numpy()

    def likelihood(**options: object) -> np.ndarray:
        return run(lira(table[s.truth].copy(), table[~s.truth].copy(), alone, **options))

    yield "LiRA online", "per-example variance", likelihood(online_attack=True)
    for kind in ("global", "mix", "shadows_in", "shadows_out"):
        options = {"use_fixed_variance": True, "std_dev_type": kind}
        yield "LiRA online", f"fixed variance, {kind}", likelihood(online_attack=True, **options)
    for kind in ("global", "shadows_out"):
        yield "LiRA offline", f"fixed variance, {kind}", likelihood(std_dev_type=kind)

    def frame(own: np.ndarray, refs: np.ndarray, members: np.ndarray, names: np.ndarray) -> object:
        columns = {"user_id": names, "score_orig": own}
        columns |= {f"score_ref_{k}": x for k, x in enumerate(refs)}
        columns |= {f"member_ref_{k}": x for k, x in enumerate(members)}
        return pandas.DataFrame(columns)

    nobody = np.zeros_like(s.zs, dtype=bool)
    population = frame(s.z, s.zs, nobody, np.arange(len(s.z)))
    sides = [frame(s.p[t], s.ps[:, t], s.members[:, t], ids[t]) for t in (s.truth, ~s.truth)]

    def relative(**options: object) -> np.ndarray:
        return run(rmia(*sides, population, alone, **options))

    models = len(s.members)
    yield "RMIA online", "half of the models", relative(online=True)
    yield "RMIA online", "all models", relative(online=True, num_reference_models=models)
    yield "RMIA offline", "a = 0.3", relative()
    yield "RMIA offline", "a tuned", relative(enable_auto_tuning=True)


PACKAGES = {
    "tensorflow-privacy": of_tensorflow_privacy,
    "mialibrary": of_mialibrary,
    "privacyguard-platform": of_privacy_guard,
}


def measures(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """AUC, and the TPR at each of `RATES`, of scores of members and of others."""
    rising = np.sort(outside)
    beaten = sum(np.searchsorted(rising, inside, side) for side in ("left", "right"))
    least = rising[[-1 - int(rate * len(rising)) for rate in RATES]]
    return np.array([beaten.mean() / (2 * len(rising)), *((inside > t).mean() for t in least)])


def paired(ours: np.ndarray, theirs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Differences of `measures` with 95% bootstrap intervals over examples, (4, 3)."""
    draw, found = np.random.default_rng(0), []
    sides = [np.stack([ours[t], theirs[t]]) for t in (truth, ~truth)]
    for turn in range(RESAMPLES + 1):
        inside, outside = (
            x[:, draw.integers(x.shape[1], size=x.shape[1])] if turn else x for x in sides
        )
        found.append(measures(inside[0], outside[0]) - measures(inside[1], outside[1]))
    return np.stack([found[0], *np.quantile(found[1:], (0.025, 0.975), axis=0)], 1)


@pytest.fixture(scope="module")
def logits(request: pytest.FixtureRequest) -> tuple[Evidence, np.ndarray]:
    """Evidence with 32 shadow models, and who the members are."""
    scenario = scenario_of(parse(shlex.split(SETTING)))
    try:
        candidates = draw(scenario)
    except BadInput as error:
        pytest.skip(str(error))
    pieces, _ = train_all(
        scenario,
        candidates,
        out=request.config.cache.mkdir("others"),
        device="cpu",
        data_root=None,
        jobs=joblib.cpu_count(),
        report=lambda line, done, total: print(f"\r{line} {done} of {total}", end="", flush=True),
    )
    return collected(candidates, pieces), candidates.members[0].numpy()


def first(evidence: Evidence, shadows: int) -> Evidence:
    """The same with the first shadow models only."""
    given = {**vars(evidence)}
    for name in ("shadow_logits", "shadow_members", "population_shadow_logits"):
        given[name] = given[name][:shadows]
    return Evidence(**given)


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("shadows", [8, 16, 32])
def test_no_other_implementation_finds_more(logits, package, shadows, capsys):
    evidence, truth = first(logits[0], shadows), logits[1]
    theirs = list(PACKAGES[package](Signals(evidence, truth)))
    ours = {
        name: membership.get(kind, **options).scores(evidence).numpy()
        for name, (kind, options) in OURS.items()
    }
    capsys.readouterr()
    lines = [(f"{shadows} shadow models", "AUC", *(f"TPR at {r:.3g} FPR" for r in RATES))]
    worse = []
    for attack in dict.fromkeys(name for name, _, _ in theirs):
        lines.append(row(f"{attack}, ours", ours[attack], truth))
        others = {o: scores for name, o, scores in theirs if name == attack}
        found = {o: measures(x[truth], x[~truth]) for o, x in others.items()}
        best = {max(found, key=lambda o: found[o][k]) for k in range(1 + len(RATES))}
        for options, scores in others.items():
            lines.append(
                row(f"{package} {version(package)}, {options or 'default'}", scores, truth)
            )
            if options in best:
                less = paired(ours[attack], scores, truth)
                lines.append(
                    ("ours less this", *(f"{d:+.3f} [{a:+.3f}, {b:+.3f}]" for d, a, b in less))
                )
                if less[0, 0] < -SLACK or (less[:, 2] < 0).any():
                    worse.append((attack, options, less.round(4).tolist()))
    with capsys.disabled():
        print("\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines))
    assert worse == []


def row(label: str, scores: np.ndarray, truth: np.ndarray) -> tuple[str, ...]:
    parted = detection.sample(scores, truth)
    found = [detection.auc(parted), *(detection.tpr_at(parted, r) for r in RATES)]
    return (label, *(x.show(3) for x in found))


def test_paired_differences_are_those_of_the_metrics():
    draw = np.random.default_rng(1)
    truth = np.arange(4000) % 2 == 0
    good, bad = draw.standard_normal((2, 4000)) + np.outer([1.5, 1.0], truth)
    found = paired(good, bad, truth)
    for at, get in enumerate(
        [detection.auc, *(lambda p, r=r: detection.tpr_at(p, r) for r in RATES)]
    ):
        means = [get(detection.sample(x, truth)).mean for x in (good, bad)]
        assert found[at, 0] == pytest.approx(means[0] - means[1])
    assert (found[:, 1] <= found[:, 0]).all() and (found[:, 0] <= found[:, 2]).all()
    assert found[0, 1] > 0
    assert paired(good, good, truth).tolist() == np.zeros((4, 3)).tolist()
