"""A server that cheats reads single images of a large batch; honest ones are told apart from it."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.nn.functional import cross_entropy

import victims
from attacks import invert
from attacks.invert.__main__ import main
from attacks.invert.command import parse, scenario
from attacks.invert.malicious import caused
from attacks.invert.malicious.divide import divide, levels
from attacks.invert.matching.labels import recover_labels
from attacks.invert.methods.imprint import BIAS
from defenses import BadInput
from reports.panels.build import build_panels
from reports.records import read
from reports.records.inversion import parse as parse_record
from reports.scores import assign, psnr
from reports.sentences.panel import panel_sentences
from reports.sentences.sentence import plain
from tests.conftest import configured, seeded

BATCH = 16


@pytest.fixture(scope="module")
def planted():
    own = victims.load_data("photos", split="train", count=64)
    return invert.get("imprint").send(victims.load_model("lenet"), own.images)


def scores(observe, model, defense, adaptive=True):
    release, threat, images, _ = observe(model, defense, batch=BATCH, adaptive=adaptive)
    attack = invert.get("imprint")
    guess = attack.reconstruct(model, cross_entropy, release, threat, generator=seeded())
    return psnr(guess.images[assign(guess.images, images)], images), guess


def test_images_alone_in_their_bins_come_out_exactly(observe, planted):
    found, guess = scores(observe, planted, configured("none"))
    thresholds = -planted.get_parameter(BIAS).detach()
    photos = victims.load_data("photos").images[:BATCH]
    bins = planted.imprint.rows(photos.flatten(1)).gt(0).sum(1).tolist()
    alone = [bins.count(b) == 1 and b > 0 for b in bins]
    assert sum(alone) >= BATCH // 2
    assert bool((found[torch.tensor(alone)] > 45).all())
    assert guess.labels.shape == (BATCH,)
    assert bool((thresholds.diff() >= 0).all())


def test_the_planted_model_computes_what_the_model_did(planted):
    model, photos = victims.load_model("lenet"), victims.load_data("photos")
    close = torch.allclose(planted(photos.images[:4]), model(photos.images[:4]), atol=0.1)
    assert close
    assert not planted.training


def test_noise_and_masks_are_reckoned_with(observe, planted):
    loud = configured("dpsgd", noise_multiplier=1e-4)
    knowing, ignorant = (scores(observe, planted, loud, a)[0].median() for a in (True, False))
    assert knowing > ignorant + 2
    mask = configured("dprs", rate=0.5, noise_multiplier=0.0, cooling=False)
    knowing, ignorant = (scores(observe, planted, mask, a)[0].median() for a in (True, False))
    assert knowing > ignorant + 5


def test_noise_of_dp_sgd_leaves_nothing(observe, planted):
    found, guess = scores(observe, planted, configured("dpsgd", noise_multiplier=1.0))
    photos = victims.load_data("photos").images[:BATCH]
    own = victims.load_data("photos", split="train", count=64).images.mean(0)
    assert bool((found < psnr(own.expand_as(photos), photos) + 1).all())
    assert guess.note.endswith("images have a bin that shows")


def test_levels_are_rows_that_agree_and_slopes_are_told_by_brightness_without_a_bias():
    draw = seeded(2)
    images = torch.rand(2, 50, generator=draw).double()
    images *= torch.tensor([[0.3], [0.7]]) / images.mean(1, keepdim=True)
    thresholds = torch.tensor([0.1, 0.2, 0.5, 0.6, 0.8]).double()
    on = (images.mean(1) > thresholds[:, None]).double()
    slopes = torch.tensor([2.0, -3.0]).double()
    rows = (on * slopes) @ torch.cat([images, torch.ones(2, 1)], 1)
    seen = torch.ones_like(rows, dtype=torch.bool)
    usual = (torch.full((50,), 0.5).double(), 0.1)
    found = levels(rows, seen, 1e-9)
    assert [(one.first, one.last) for one in found] == [(0, 1), (2, 3), (4, 4)]
    told = divide(found, thresholds, 1e-9, 5, usual)
    assert torch.allclose(told.images, images)
    assert torch.allclose(told.slopes, slopes)
    seen[:, -1] = False
    dim = divide(levels(rows, seen, 1e-9), thresholds, 1e-9, 5, usual)
    assert torch.allclose(dim.images, images, rtol=0.2)
    seen[:, -1] = True
    seen[2:4, :9] = False  # of these pixels only the weighted sum of both images is seen
    shared = divide(levels(rows, seen, 1e-9), thresholds, 1e-9, 5, usual).images
    assert torch.allclose(shared[:, 9:], images[:, 9:])
    assert torch.allclose(slopes @ shared, slopes @ images)
    usually = (slopes @ images - slopes @ usual[0].expand(2, 50))[:9] * slopes[:, None] / 13
    assert torch.allclose(shared[:, :9], 0.5 + usually)


def test_only_what_explains_the_release_is_solved(observe, planted):
    release, threat, images, labels = observe(planted, configured("none"), batch=3)
    attack = invert.get("imprint")

    def reconstruct(seen):
        return attack.reconstruct(planted, cross_entropy, seen, threat, generator=seeded())

    guess = reconstruct(release)
    order = assign(guess.images, images)
    assert guess.stopped == "solved"
    assert guess.labels[order].tolist() == labels.tolist()
    other = {k: -v if k.startswith("model") else v for k, v in release.update.items()}
    wrong = reconstruct(dataclasses.replace(release, update=other))
    assert wrong.stopped == "iterations"
    assert "unexplained" in wrong.note


@pytest.mark.parametrize("first", [0, 2])
def test_under_a_mask_exact_slopes_tell_the_labels_that_counting_gets_wrong(
    observe, planted, first
):
    mask = configured("dprs", rate=0.5, noise_multiplier=0.0, cooling=False, clip=1e9)
    release, threat, images, labels = observe(planted, mask, first, batch=2)
    assert recover_labels(planted, cross_entropy, release, threat).tolist() != labels.tolist()
    attack = invert.get("imprint")
    guess = attack.reconstruct(planted, cross_entropy, release, threat, generator=seeded())
    order = assign(guess.images, images)
    assert guess.labels[order].tolist() == labels.tolist()
    assert bool((psnr(guess.images[order], images) > 45).all())
    assert guess.stopped == "solved"


def test_under_clipping_labels_of_images_in_bins_of_their_own_are_told(observe, planted):
    release, threat, images, labels = observe(
        planted, configured("dpsgd", clip=1.0, noise_multiplier=0.0), batch=BATCH
    )
    counted = recover_labels(planted, cross_entropy, release, threat)
    assert counted.tolist() != labels.sort().values.tolist()

    def exact(adaptive):
        known = dataclasses.replace(threat, adaptive=adaptive)
        attack = invert.get("imprint")
        guess = attack.reconstruct(planted, cross_entropy, release, known, generator=seeded())
        order = assign(guess.images, images)
        return (guess.labels[order] == labels)[psnr(guess.images[order], images) > 30]

    assert len(exact(True)) >= BATCH // 2 and bool(exact(True).all())
    assert not bool(exact(False).all())  # who knows of no clipping is misled by it


def test_a_batch_is_solved_under_clipping(observe, planted):
    clipped = configured("dpsgd", clip=1.0, noise_multiplier=0.0)
    release, threat, images, labels = observe(planted, clipped, batch=3)
    attack = invert.get("imprint")
    guess = attack.reconstruct(planted, cross_entropy, release, threat, generator=seeded())
    assert guess.labels[assign(guess.images, images)].tolist() == labels.tolist()
    assert guess.stopped == "solved"


def test_slopes_that_are_not_exact_share_what_is_left_of_the_counted_labels(planted):
    photos = victims.load_data("photos", count=3)
    exact = torch.stack(
        [caused._slopes(planted, cross_entropy, photos.images, c) for c in range(photos.classes)]
    )
    slopes = exact[photos.labels, torch.arange(3)]
    slopes[1] *= 0.9  # as where pixels are missing
    counted = torch.tensor([0, 1, 9])

    def as_they_are(images, labels):
        return torch.ones(len(images), dtype=torch.float64)

    def named(known):
        labels, order = caused.name_by_slopes(
            planted, cross_entropy, photos.images, slopes, counted, known, as_they_are
        )
        return dict(zip(order.tolist(), labels.tolist(), strict=True))

    assert photos.labels.tolist() == [0, 1, 2]
    found = named(photos.classes)
    assert (found[0], found[2]) == (0, 2) and found[1] in (1, 9)
    assert sorted(named(None).values()) == counted.tolist()


def test_what_is_not_a_malicious_servers_is_refused(observe, lenet, planted):
    release, threat, _, _ = observe(lenet, configured("none"), batch=2)
    with pytest.raises(BadInput, match="no imprint block"):
        invert.get("imprint").reconstruct(lenet, cross_entropy, release, threat, generator=seeded())
    assert "not a weight difference" in invert.get("imprint").refusal(
        planted, dataclasses.replace(threat, local=object())
    )


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--threat", "malicious"], "attack 'auto' is of a server that is honest, not malicious"),
        (["--attack", "imprint"], "attack 'imprint' is of a server that is malicious, not honest"),
        (["--threat", "mean"], "unknown threat 'mean'; known: honest, malicious"),
    ],
)
def test_threat_and_attack_must_agree(flags, said):
    with pytest.raises(BadInput, match=said):
        scenario(parse(flags))


def test_an_honest_scenario_is_what_it_was_and_a_malicious_one_stands_alone(tmp_path, capsys):
    honest = invert.Scenario()
    assert "threat" not in honest.document()
    words = "--data digits --model lenet --images 8 --batch 8 --defense none --against".split()  # noqa: SIM905
    sly = [*words, "--threat", "malicious", "--attack", "imprint"]
    assert main([*sly, "--out", str(tmp_path / "sly")]) == 0
    assert "a server that cheats: it sends a model of its own making" in capsys.readouterr().out
    fair = [*words, "--attack", "prior", "--out", str(tmp_path / "fair")]
    assert main(fair) == 0
    found = [parse_record(read(tmp_path / name)) for name in ("sly", "fair")]
    first, second = sorted(build_panels(found), key=lambda panel: "malicious" in panel.title)
    assert "malicious server" in second.title
    assert "malicious" not in first.title
    said = "".join(plain(s) for s in panel_sentences(second, []))
    assert "a server that cheats, and gets one update of its own version of lenet" in said
