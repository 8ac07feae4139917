"""Adversaries who know the defense that acts before the gradient."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

import defenses
import victims
from attacks.invert.__main__ import main
from attacks.invert.adversary import Adversary
from attacks.invert.candidates.lineup import Lineup
from attacks.invert.contract import registry as attacks
from defenses import preprocessing
from defenses.methods.ats import ATS
from reports.records import read
from tests.attacks.invert.seen import guess_of, psnr, seen_by
from tests.conftest import seeded

HYBRID = ATS()
ROOT = Path(__file__).parents[3]


class TestPrecode:
    def test_a_known_draw_is_no_protection(self, guarded, photos, auxiliary):
        found = {}
        for adaptive in (False, True):
            release, threat, images, _, _ = seen_by(
                guarded, defenses.get("precode"), photos, auxiliary, 0, adaptive
            )
            attack = attacks.get("bayes", iterations=150)
            guess = guess_of(attack, guarded, release, threat)
            found[adaptive] = psnr(guess.images, images)
        assert found[True] > 20
        assert found[False] < 14

    def test_the_private_image_is_named(self, guarded, photos, auxiliary):
        lineup = Lineup.of(guarded, cross_entropy, auxiliary.images[:63], auxiliary.labels[:63])
        for index in range(2):
            release, threat, images, labels, own = seen_by(
                guarded, defenses.get("precode"), photos, auxiliary, index
            )
            adversary = Adversary(attacks.get("prior"), threat, lineup)
            assert adversary.rank(release, own, images, labels, generator=seeded()) == 1

    def test_a_bottleneck_fed_with_pixels_is_matched_too(self, photos, auxiliary):
        """Its encoder's gradient is the image: the closed form reads it."""
        plain = victims.load_model("linear", classes=photos.classes)
        model = preprocessing.let_draw(
            preprocessing.equip(defenses.get("precode"), plain, seeded()).eval()
        )
        release, threat, images, _, _ = seen_by(model, defenses.get("precode"), photos, auxiliary)
        guess = guess_of(attacks.get("analytic"), model, release, threat)
        assert psnr(guess.images, images) > 40


class TestATS:
    def test_an_augmented_image_is_an_image(self, lenet, photos, auxiliary):
        """In the mean over two: the direction of a change of contrast is not always told."""
        found = {False: 0.0, True: 0.0}
        for index in range(2):
            for adaptive in found:
                release, threat, images, _, _ = seen_by(
                    lenet, HYBRID, photos, auxiliary, index, adaptive
                )
                attack = attacks.get("bayes", iterations=100)
                guess = guess_of(attack, lenet, release, threat)
                found[adaptive] += psnr(guess.images, images) / 2
        assert found[True] > found[False] + 5

    def test_the_private_image_is_named_whichever_way_it_was_shown(self, lenet, photos, auxiliary):
        few = auxiliary.images[:15], auxiliary.labels[:15]
        lineup = Lineup.of(lenet, cross_entropy, *few, HYBRID)
        for index in range(3):
            release, threat, images, labels, own = seen_by(
                lenet, HYBRID, photos, auxiliary, index, seed=index
            )
            adversary = Adversary(attacks.get("prior"), threat, lineup)
            assert adversary.rank(release, own, images, labels, generator=seeded()) == 1

    def test_a_guess_of_the_prior_is_left_alone(self, lenet, photos, auxiliary):
        release, threat, _, _, _ = seen_by(lenet, HYBRID, photos, auxiliary)
        guess = guess_of(attacks.get("prior"), lenet, release, threat)
        assert torch.allclose(guess.images[0], auxiliary.images.mean(0), atol=1e-6)


def test_the_command_shows_both_columns_and_names_the_policy(tmp_path, capsys):
    words = "--defense ats --policy contrast5 --against --model mlp --data digits --images 3"
    words += " --candidates 8 --attack analytic"
    code = main([*words.split(), "--out", str(tmp_path)])
    assert code == 0
    record = read(tmp_path)
    assert record.summary.keys() == {"ats/adaptive", "ats/naive"}
    means = {k: v["psnr"]["mean"] for k, v in record.summary.items()}
    assert means["ats/adaptive"] > means["ats/naive"] + 3
    assert record.bounds["ats"]["options"]["policy"] == "contrast5"
    assert record.bounds["ats"]["epsilon"] is None
    assert json.loads((tmp_path / "result.json").read_text())


def test_the_pages_own_defense_on_images_is_attacked(tmp_path, monkeypatch):
    page = (ROOT / "docs" / "defenses.md").read_text()
    (tmp_path / "mymirror.py").write_text(page.split("# mymirror.py")[1].split("```")[0])
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(defenses.registry, "_classes", dict(defenses.registry._classes))
    words = "--defense mymirror:Mirror --against --data digits --model mlp --images 2"
    assert main([*words.split(), "--attack", "analytic", "--out", str(tmp_path / "o")]) == 0
    assert f"python -m attacks.invert {' '.join(words.split()[:2])}" in page
    record = read(tmp_path / "o")
    assert {r["rank"] for r in record.rows if r["adaptive"]} == {1}
