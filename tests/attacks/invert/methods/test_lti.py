from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.nn.functional import cross_entropy

import victims
from attacks import invert
from attacks.invert.learning.lessons import labelled_gradients, lesson_key
from attacks.invert.learning.population import Population
from attacks.invert.learning.regression import Regression
from attacks.invert.learning.shelf import place_of, read
from attacks.invert.learning.view import View
from attacks.invert.matching.meter import measure
from attacks.invert.methods.lti import FEWEST
from defenses import BadInput
from defenses.gradients import flat
from reports.scores import psnr
from tests.conftest import configured, seeded


def measurements(count=60, columns=12, pixels=5):
    draw = seeded(3)
    unknown = torch.randn(count, pixels, generator=draw)
    shown = unknown @ torch.randn(pixels, columns, generator=draw)
    return shown + 0.1 * torch.randn(count, columns, generator=draw), unknown


@pytest.mark.parametrize("columns", [12, 90])
class TestRegression:
    def test_is_ridge_regression_on_standardised_columns(self, columns):
        from sklearn.linear_model import Ridge

        shown, unknown = measurements(columns=columns)
        new, known = shown[-1], slice(0, 50)
        found = Regression.fit(shown[known].clone(), ridge=0.01)
        centred = unknown[known] - unknown[known].mean(0)
        scaled = (shown - shown[known].mean(0)) / shown[known].std(0, correction=0)
        ridge = Ridge(alpha=50 * 0.01).fit(scaled[known].numpy(), unknown[known].numpy())
        expected = torch.from_numpy(ridge.predict(scaled[-1:].numpy()))[0]
        by_example = unknown[known].mean(0) + found.coefficients(new) @ centred
        by_column = unknown[known].mean(0) + found.deviation(new) @ found.weights(centred)
        assert torch.allclose(by_example, expected.float(), atol=1e-3)
        assert torch.allclose(by_column, expected.float(), atol=1e-3)

    def test_is_the_wiener_filter_under_noise(self, columns):
        shown, unknown = measurements(columns=columns)
        found = Regression.fit(shown.clone(), added=0.3**2)
        rows = (shown - shown.mean(0)).double()
        deviation = (shown[0] + 1 - shown.mean(0)).double()
        covariance = rows.T @ rows / len(rows) + 0.3**2 * torch.eye(columns)
        across = (unknown - unknown.mean(0)).double().T @ rows / len(rows)
        expected = across @ torch.linalg.inv(covariance) @ deviation
        told = found.coefficients(shown[0] + 1) @ (unknown - unknown.mean(0))
        assert torch.allclose(told, expected.float(), atol=1e-3)

    def test_evidence_is_the_gaussian_density(self, columns):
        shown, _ = measurements(columns=columns)
        for options in ({"added": 0.2}, {"ridge": 0.01}):
            found = Regression.fit(shown.clone(), **options)
            unit = torch.diag(found.unit.double())
            rows = found.rows.double()
            covariance = rows.T @ rows / len(rows) + found.rho * torch.eye(columns)
            density = torch.distributions.MultivariateNormal(
                found.mean.double(), unit @ covariance @ unit
            )
            new = shown[:2] + 0.1
            told = found.log_evidence(new[0]) - found.log_evidence(new[1])
            expected = density.log_prob(new[0].double()) - density.log_prob(new[1].double())
            assert told == pytest.approx(float(expected), rel=1e-3)


def test_a_column_that_never_varies_is_left_out():
    shown, _ = measurements()
    shown[:, 3] = 0
    assert torch.isfinite(Regression.fit(shown.clone(), ridge=0.01).coefficients(shown[0])).all()


def test_the_population_is_whitened_and_few_images_are_helped_by_their_spectrum(auxiliary):
    population = Population.fit(auxiliary.images)
    code = torch.randn(2, len(population.std), generator=seeded(), dtype=torch.float64)
    assert torch.allclose(population.encode(population.decode(code)), code, atol=1e-6)
    shown = population.encode(auxiliary.images)
    assert 0.5 < float(shown[:, :50].square().mean()) < 1.5
    # 64 images and their mirror images span no more than 127 directions.
    assert population.std[127] > 1.5 * population.std[-1]
    back = population.decode(shown)
    lost = (back - auxiliary.images).square().mean() / auxiliary.images.var(0).mean()
    assert float(lost) < 0.02


def gradients(model, auxiliary, label=3):
    images = auxiliary.images[:4]
    return next(iter(labelled_gradients(model, cross_entropy, images, label)))


@pytest.mark.parametrize("name", ["dprs", "prune", "dpsgd", "quantize", "topk"])
def test_a_view_replays_the_defense_on_what_the_release_tells(name, observe, lenet, auxiliary):
    shield = configured(name, rate=0.9, noise_multiplier=0.0)
    release, threat, _, _ = observe(lenet, shield)
    grads = gradients(lenet, auxiliary)
    view = View.of(release, threat)
    shown = view.show(grads, seeded())
    for place in range(4):
        alone = {k: g[place : place + 1] for k, g in grads.items()}
        assert torch.equal(shown[place], flat(shield.replay(alone, release))[view.index])
    if name in ("dprs", "prune", "topk"):
        assert bool((view.observed != 0).all())
        assert len(view.index) < 0.12 * sum(p.numel() for p in lenet.parameters())


def test_signs_are_taken_of_the_adversarys_gradients_too(observe, lenet, auxiliary):
    release, threat, _, _ = observe(lenet, configured("sign"))
    grads = gradients(lenet, auxiliary)
    view = View.of(release, threat)
    expected = torch.stack([flat({k: g[i].sign() for k, g in grads.items()}) for i in range(4)])
    assert torch.equal(view.show(grads, seeded()), 1e-3 * expected[:, view.index])


@pytest.mark.parametrize(("gamma", "measured"), [(10.0, True), (1e-3, False)])
def test_what_was_selected_by_its_size_is_a_measurement_unless_it_was_truncated(
    gamma, measured, observe, lenet, auxiliary
):
    release, threat, _, _ = observe(lenet, configured("dssgd", theta_u=0.1, gamma=gamma))
    view = View.of(release, threat)
    assert view.plain == measured
    if measured:
        assert bool((view.observed != 0).all())
        grads = gradients(lenet, auxiliary)
        expected = torch.stack([flat({k: g[i] for k, g in grads.items()}) for i in range(4)])
        assert torch.equal(view.show(grads, seeded()), expected[:, view.index])


def test_a_defense_that_looks_at_values_is_shown_one_by_one(observe, lenet, auxiliary):
    class Looks(type(configured("none"))):
        def replay(self, grads, release):
            assert float(next(iter(grads.values())).sum()) != 0
            return super().replay(grads, release)

    release, threat, _, _ = observe(lenet, Looks())
    plain = dataclasses.replace(threat, defense=configured("none"))
    grads = gradients(lenet, auxiliary)
    shown = View.of(release, threat).show(grads, seeded())
    assert torch.equal(shown, View.of(release, plain).show(grads, seeded()))


@pytest.fixture(scope="module")
def digits():
    """Private digits, a victim, and what everyone may learn from."""
    private = victims.load_data("digits", count=4)
    own = victims.load_data("digits", split="train", count=600, seed=0)
    return private, own, victims.load_model("lenet", image_shape=(1, 8, 8))


def observed(digits, shield, place=0, **known):
    private, own, model = digits
    one = slice(place, place + 1)
    images, labels = private.images[one], private.labels[one]
    grads = victims.per_example_gradients(model, cross_entropy, images, labels)
    release = shield.release(grads, generator=seeded(place))
    facts = {
        "learning_images": own.images[100:500],
        "labels": labels,
        "adaptive": True,
    }
    threat = invert.Threat(
        shield, image_shape=(1, 8, 8), classes=10, batch_size=1,
        auxiliary_images=own.images[:100], auxiliary_labels=own.labels[:100], **{**facts, **known},
    )  # fmt: skip
    return release, threat, images


SHORT = {"learn": 500, "iterations": 20}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dprs", {"rate": 0.9, "noise_multiplier": 0.0}),
        ("prune", {"rate": 0.9}),
        ("sign", {}),
        ("dpsgd", {"noise_multiplier": 0.01}),
        ("quantize", {"bits": 3}),
    ],
)
def test_who_learned_the_defense_beats_who_ignores_it_and_who_guesses(name, options, digits):
    _, own, model = digits
    shield = configured(name, **options)
    scores = {True: [], False: [], "mean": []}
    for adaptive in (True, False):
        attack = invert.get("lti", **SHORT)
        for place in range(2):
            release, threat, images = observed(digits, shield, place, adaptive=adaptive)
            guess = attack.reconstruct(model, cross_entropy, release, threat, generator=seeded())
            scores[adaptive].append(float(psnr(guess.images, images)))
            if adaptive:
                mean = own.images.mean(0, keepdim=True)
                scores["mean"].append(float(psnr(mean, images)))
    assert sum(scores[True]) / 2 > sum(scores["mean"]) / 2 + 2
    if name != "quantize":  # unbiased rounding is ignored for free
        assert sum(scores[True]) > sum(scores[False]) + 1


def test_what_is_learned_in_practice_is_what_a_release_alone_would_teach(digits):
    _, _, model = digits
    release, threat, _ = observed(digits, configured("dpsgd", noise_multiplier=0.01))
    attack = invert.get("lti", **SHORT)
    with measure() as practice:
        ready = attack.tuned(model, cross_entropy, threat, generator=seeded())
    assert practice.gradients == 10 * 500 + 2
    assert len(ready.lessons.maps) == 10
    first, second, again = (
        a.reconstruct(model, cross_entropy, release, threat, generator=seeded())
        for a in (attack, ready, ready)
    )
    assert torch.equal(second.images, again.images) and second.energy == again.energy
    assert torch.allclose(first.images, second.images, atol=1e-3)
    with measure() as alone:
        ready.reconstruct(model, cross_entropy, release, threat, generator=seeded())
    assert alone.gradients < 100  # those of the likeliest image: nothing is learned anew


def test_maps_on_disk_are_as_good_as_learned(digits, tmp_path, monkeypatch):
    _, _, model = digits
    release, threat, _ = observed(digits, configured("dpsgd", noise_multiplier=0.01))
    attack = invert.get("lti", learn=FEWEST)
    monkeypatch.setenv("LEAKGAUGE_LESSONS", str(tmp_path / "maps"))

    def tuned():
        with measure() as meter:
            ready = attack.tuned(model, cross_entropy, threat, generator=seeded())
        return ready.lessons, meter.gradients

    learned, cost = tuned()
    files = sorted((tmp_path / "maps").iterdir())
    assert len(files) == 10

    def fail(*_):
        raise AssertionError("learned anew")

    monkeypatch.setattr("attacks.invert.learning.lessons.labelled_gradients", fail)
    found, again = tuned()
    assert again == cost
    for key, one in learned.maps.items():
        same = [torch.equal(v, vars(found.maps[key])[k]) for k, v in vars(one).items()]
        assert all(same)
    key = lesson_key(model, learned.images, View.of(release, threat), 0)
    place = place_of(key, model, threat.defense)
    assert place in files
    place.write_bytes(b"broken")
    assert read(place, ("mean",), torch.device("cpu")) is None
    own = type("Mine", (type(threat.defense),), {"__module__": "mine"})()
    assert place_of(key, model, own) is None


def test_under_masks_of_their_own_releases_are_learned_from_one_by_one(digits):
    _, _, model = digits
    _, threat, _ = observed(digits, configured("dprs", rate=0.9))
    ready = invert.get("lti", **SHORT).tuned(model, cross_entropy, threat, generator=seeded())
    assert ready.lessons.maps == {}


def test_a_key_names_all_that_a_map_was_learned_from(digits, observe, lenet):
    _, _, model = digits
    release, threat, _ = observed(digits, configured("dpsgd", noise_multiplier=0.01))
    view = View.of(release, threat)
    images = threat.learning

    def key(model=model, images=images, label=1, **changed):
        told = dataclasses.replace(threat, **changed)
        return lesson_key(model, images, View.of(release, told), label)

    same = key()
    assert same == lesson_key(model, images.clone(), view, 1)
    other = victims.load_model("lenet", image_shape=(1, 8, 8))
    with torch.no_grad():
        next(other.parameters())[0] += 1e-6
    dotted = images.clone()
    dotted[0, 0, 0, 0] += 0.01
    masked, told, _ = observed(digits, configured("dprs", rate=0.9), place=0)
    moved, _, _ = observed(digits, configured("dprs", rate=0.9), place=1)
    different = [
        key(model=other),
        key(images=dotted),
        key(label=2),
        key(defense=configured("dpsgd", noise_multiplier=0.02)),
        key(defense=configured("gaussian", noise_multiplier=0.01)),
        key(adaptive=False),
        lesson_key(model, images, View.of(masked, told), 1),
        lesson_key(model, images, View.of(moved, told), 1),
    ]
    assert len({same, *different}) == len(different) + 1


def few(split):
    """Twenty digits to attack, twenty to learn from."""
    return victims.load_data("digits", split=split, count=20, seed=0)


def test_too_few_images_to_learn_from_are_refused(digits):
    _, own, model = digits
    release, threat, _ = observed(digits, configured("none"))
    threat = dataclasses.replace(
        threat, auxiliary_images=own.images[:20], learning_images=own.images[20:31]
    )
    with pytest.raises(BadInput, match="at least 32 images, and has 31"):
        invert.get("lti").reconstruct(model, cross_entropy, release, threat, generator=seeded())


def test_the_attack_auto_leaves_out_what_has_too_few_images_to_learn_from(digits):
    _, own, model = digits
    shield = configured("dprs", rate=0.9, noise_multiplier=0.01)
    release, threat, _ = observed(digits, shield)
    threat = dataclasses.replace(
        threat, auxiliary_images=own.images[:20], auxiliary_labels=own.labels[:20],
        learning_images=None, evaluations=4,
    )  # fmt: skip
    auto = invert.get("auto", iterations=4)
    auto = auto.tuned(model, cross_entropy, threat, generator=seeded())
    assert "lti" not in {attack.name for attack in auto.plan}
    auto.reconstruct(model, cross_entropy, release, threat, generator=seeded())


@pytest.mark.parametrize("model", ["lenet", "mlp"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dprs", {"rate": 0.98, "noise_multiplier": 0.0}),
        ("dprs", {"rate": 0.9, "noise_multiplier": 0.02}),
        ("prune", {"rate": 0.99}),
        ("topk", {"rate": 0.99}),
    ],
)
def test_labels_by_evidence_survive_what_hides_the_last_layer(name, options, model):
    private = victims.load_data("digits", count=4)
    own = victims.load_data("digits", split="train", count=64, seed=0)
    victim, shield = victims.load_model(model, image_shape=(1, 8, 8)), configured(name, **options)
    hits = explained = 0
    for place in range(4):
        images, labels = private.images[place][None], private.labels[place][None]
        grads = victims.per_example_gradients(victim, cross_entropy, images, labels)
        release = shield.release(grads, generator=seeded(place))
        threat = invert.Threat(shield, True, (1, 8, 8), 10, 1, own.images, own.labels)
        found = invert.recover_labels(victim, cross_entropy, release, threat)
        hits += int(found == labels)
        few = dataclasses.replace(
            threat, auxiliary_images=own.images[:15], auxiliary_labels=own.labels[:15]
        )
        explained += int(invert.recover_labels(victim, cross_entropy, release, few) == labels)
    assert hits >= 3
    assert hits >= explained


def test_labels_by_evidence_end_with_the_clock(observe, lenet):
    shield = configured("dprs", rate=0.99, noise_multiplier=0.0)
    release, threat, _, _ = observe(lenet, shield, seconds=1e-9)
    with measure() as meter:
        found = invert.recover_labels(lenet, cross_entropy, release, threat)
    assert meter.gradients <= 64 and found.shape == (1,)  # no more than was begun


@pytest.mark.parametrize("batch", [4, 16])
@pytest.mark.parametrize("name", ["none", "dpsgd"])
def test_label_counts_of_a_batch_are_taken_over_all_own_images(name, batch):
    private = victims.load_data("digits", count=5 * batch)
    own = victims.load_data("digits", split="train", count=256, seed=0)
    model = victims.load_model("lenet", image_shape=(1, 8, 8))
    shield = configured(name, noise_multiplier=0.0)
    right = 0
    for images, labels in zip(
        private.images.split(batch), private.labels.split(batch), strict=True
    ):
        grads = victims.per_example_gradients(model, cross_entropy, images, labels)
        release = shield.release(grads, generator=seeded())
        threat = invert.Threat(shield, True, (1, 8, 8), 10, batch, own.images, own.labels)
        found = invert.recover_labels(model, cross_entropy, release, threat)
        right += found.tolist() == sorted(labels.tolist())
    assert right >= (5 if name == "none" else 4)
