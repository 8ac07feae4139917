"""The example that audits Opacus' own loop, and the lines of the docs that it is made from."""

from __future__ import annotations

import functools
import re
import sys
from pathlib import Path

import pytest
import torch
from opacus import PrivacyEngine
from opacus.accountants import RDPAccountant
from torch.nn.functional import cross_entropy

import reports.commands.progress
import victims
from defenses import BadInput

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "docs" / "examples"))

import opacus_audit  # noqa: E402
import opacus_loop  # noqa: E402
from opacus_canaries import BlackBox, WhiteBox  # noqa: E402
from opacus_loop import CLIP, DELTA, Loop  # noqa: E402

SHORT = ["--epochs", "3", "--canaries", "300"]
SIZE = 50
quick_engine = functools.partial(PrivacyEngine, accountant="rdp")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    # Opacus' usual accountant and orders are a little tighter, and take seconds.
    monkeypatch.setattr(opacus_loop, "PrivacyEngine", quick_engine)
    monkeypatch.setattr(RDPAccountant, "DEFAULT_ALPHAS", list(range(2, 33)))
    monkeypatch.setattr(opacus_loop, "HIDDEN", 32)
    monkeypatch.setattr(opacus_audit, "EXAMPLES", 4 * SIZE)


def begun(kind="dirac", count=5, seed=0):
    data = victims.load_data("digits", split="train", count=4 * SIZE, seed=seed)
    loop = Loop.made(data.images, data.labels, epsilon=8.0, epochs=3, seed=seed)
    return loop, WhiteBox(loop, count=count, kind=kind, seed=seed)


def step(loop, audited, number=0, images=None, labels=None):
    images, labels = next(iter(loop.loader)) if images is None else (images, labels)
    loop.optimizer.zero_grad()
    cross_entropy(loop.model(images), labels).backward()
    audited.join(number)
    loop.optimizer.step()


def flat(tensors):
    return torch.cat([t.detach().flatten() for t in tensors])


def kept(folder):
    (path,) = folder.glob("course-*.pt")
    return torch.load(path, weights_only=True)


def test_a_true_claim_is_consistent_and_a_plain_bug_refuted(tmp_path, capsys):
    assert opacus_audit.main([*SHORT, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    claimed, proven = map(float, re.findall(r"epsilon (?:>= )?([\d.]+)", said))
    assert 0 < proven < claimed <= 8
    assert "verdict: consistent" in said
    assert "demonstration" not in said
    assert (tmp_path / "epsilon.png").stat().st_size > 10_000
    bug = [*SHORT, "--break-noise", "0.1", "--out", str(tmp_path / "b")]
    assert opacus_audit.main(bug) == 1
    said = capsys.readouterr().out
    assert "verdict: claim refuted" in said
    assert f"claimed: epsilon {claimed:.3f}" in said
    assert said.startswith("demonstration: 0.1 of the claimed noise is drawn")


@pytest.mark.parametrize("kind", ["dirac", "mislabelled"])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path, monkeypatch, kind):
    flags = ["--epochs", "3", "--canaries", "60", "--canary", kind, "--out"]
    opacus_audit.main([*flags, str(tmp_path / "whole")])
    show = reports.commands.progress.Progress.__call__

    def stopped(self, line, done, total):
        if done == total // 3 + 2:
            raise KeyboardInterrupt
        show(self, line, done, total)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(reports.commands.progress.Progress, "__call__", stopped)
        opacus_audit.main([*flags, str(tmp_path / "cut")])
    assert kept(tmp_path / "cut")["epochs"] == 1
    opacus_audit.main([*flags, str(tmp_path / "cut")])
    whole, cut = kept(tmp_path / "whole"), kept(tmp_path / "cut")
    assert torch.equal(whole["scores"], cut["scores"])
    assert whole["course"]["claimed"] == cut["course"]["claimed"]
    assert whole["course"]["steps"] == cut["course"]["steps"]
    pairs = zip(whole["course"]["scores"], cut["course"]["scores"], strict=True)
    assert all(torch.equal(*pair) for pair in pairs)


@pytest.mark.parametrize("kind", ["dirac", "random"])
def test_opacus_itself_clips_the_canaries(kind):
    sums = []
    for joins in (False, True):
        loop, audited = begun(kind, count=6)
        loop.optimizer.noise_multiplier = 0.0
        everyone = torch.arange(int(audited.inserted.sum()) if joins else 0)
        audited.canaries.joining = lambda step, index=everyone: index
        step(loop, audited)
        sums.append(SIZE * flat(p.grad for p in loop.model.parameters()))
    rows = audited.canaries.rows[audited.inserted]
    assert 2 <= len(rows) < 6
    assert torch.allclose(rows.norm(dim=1), torch.tensor(10 * CLIP))
    assert torch.allclose(sums[1] - sums[0], (rows / 10).sum(0), atol=1e-4)


def test_the_adversary_sees_what_moves_the_weights_and_the_accountant_counts():
    loop, audited = begun()
    audited.canaries.joining = lambda step: torch.arange(0)
    seen = []
    audited.canaries.observe = lambda release, rule, others: seen.extend(
        flat(part[name] for name in audited.named) for part in (release.update, others)
    )
    before = flat(loop.model.parameters())
    step(loop, audited)
    update, others = seen
    (group,) = loop.optimizer.param_groups
    moved = (before - flat(loop.model.parameters())) / group["lr"]
    assert torch.allclose(moved, update, atol=1e-6)
    # With no canary there, what the adversary cannot explain is the noise that was claimed.
    noise = audited.rule.public(audited.size)["noise_std"]
    unknown = update - others
    assert float(unknown.std()) == pytest.approx(noise, rel=0.05)
    assert float((unknown @ others).abs()) < 4 * noise * float(others.norm())
    assert float(update @ others) > 8 * noise * float(others.norm())
    assert loop.engine.accountant.history == [(loop.optimizer.noise_multiplier, 0.25, 1)]
    assert audited.size == SIZE


def test_canaries_join_a_batch_that_poisson_sampling_left_empty():
    loop, audited = begun(count=6)
    loop.optimizer.noise_multiplier = 0.0
    audited.canaries.joining = lambda step: torch.arange(2)
    step(loop, audited, images=torch.zeros(0, 1, 8, 8), labels=torch.zeros(0, dtype=torch.long))
    total = SIZE * flat(p.grad for p in loop.model.parameters())
    assert torch.allclose(total, audited.canaries.rows[audited.inserted][:2].sum(0) / 10, atol=1e-5)
    audited.canaries.joining = lambda step: torch.arange(0)
    step(loop, audited, images=torch.zeros(0, 1, 8, 8), labels=torch.zeros(0, dtype=torch.long))
    assert not flat(p.grad for p in loop.model.parameters()).any()


def test_the_black_box_hides_wrong_labels_by_fair_coins_and_finds_them_without_noise():
    data = victims.load_data("digits", split="train", count=400)
    black = BlackBox(data, count=200, seed=0)
    assert (black.labels != data.labels[200:]).all()
    assert 70 < int(black.inserted.sum()) < 130
    images, labels = black.private
    assert torch.equal(images[200:], data.images[200:][black.inserted])
    assert torch.equal(labels[200:], black.labels[black.inserted])
    loop = Loop.made(images, labels, epsilon=8.0, epochs=3, seed=0)
    opacus_loop.break_noise(loop.optimizer, 1e-6)
    black.model = loop.model
    for _ in range(10):
        for x, y in loop.loader:
            step(loop, black, images=x, labels=y)
    scores = black.scores()
    gap = scores[black.inserted].mean() - scores[~black.inserted].mean()
    error = scores.std() * (1 / 100 + 1 / 100) ** 0.5
    assert gap > 3 * error


def test_the_lines_of_the_docs_audit_a_loop():
    page = (ROOT / "docs" / "audits.md").read_text().split("## Your own trainer")[1]
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    data = victims.load_data("digits", split="train", count=4 * SIZE)
    loop = Loop.made(data.images, data.labels, epsilon=8.0, epochs=3, seed=0)
    names = {**vars(loop), "criterion": cross_entropy, "epochs": 3}
    exec(compile(block, "audits.md", "exec"), names)
    assert 0 < names["proven"] < loop.engine.get_epsilon(DELTA)
    assert names["step"] == 12


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--epsilon", "0"], r"--epsilon is 0; it must be in \(0, 20\]"),
        (["--epsilon", "0.001"], "--epsilon 0.001 cannot be kept"),
        (["--epochs", "0"], "--epochs is 0; it must be >= 1"),
        (["--canaries", "5"], "are too few for confidence 0.95"),
        (["--canaries", "20000"], "20000 Dirac canaries need 20000 coordinates"),
        (["--canary", "mislabelled", "--canaries", "2000"], "digits has 1297 images"),
        (["--break-noise", "nan"], "--break-noise is nan; it must be > 0 and finite"),
    ],
)
def test_bad_input_is_told_before_anything_is_trained(tmp_path, flags, said):
    with pytest.raises(BadInput, match=said):
        opacus_audit.main([*flags, "--out", str(tmp_path / "o")])
    assert not (tmp_path / "o").exists()
