"""The Opacus adapter, in Opacus' own loop."""

from __future__ import annotations

import math

import pytest
import torch
from opacus import PrivacyEngine, schedulers
from opacus.utils.batch_memory_manager import BatchMemoryManager
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import defenses
from defenses import BadInput, Release, preprocessing
from tests.conftest import configured, seeded
from victims.optimizer import defend

LOSS = nn.CrossEntropyLoss()


def parts(noise=1.0, clip=0.5, momentum=0.0, weight_decay=0.0, count=64, batch=16):
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(count, 6), torch.randint(3, (count,)))
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
    sgd = torch.optim.SGD(model.parameters(), 0.3, momentum=momentum, weight_decay=weight_decay)
    engine = PrivacyEngine(accountant="rdp")
    model, optimizer, loader = engine.make_private(
        module=model,
        optimizer=sgd,
        data_loader=DataLoader(data, batch_size=batch, generator=seeded(1)),
        noise_multiplier=noise,
        max_grad_norm=clip,
        noise_generator=seeded(2),
    )
    return engine, model, optimizer, loader


def train(model, optimizer, batches):
    for x, y in batches:
        optimizer.zero_grad()
        LOSS(model(x), y).backward()
        optimizer.step()


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def options(loader, **more):
    return {"sample_rate": 1 / len(loader), "steps": 2 * len(loader), "seed": 0, **more}


def test_dpsgd_without_noise_walks_where_opacus_walks():
    _, ours, optimizer, loader = parts(noise=0.0, momentum=0.9)
    optimizer = defend(optimizer, ours, defenses.get("dpsgd"), **options(loader))
    _, theirs, reference, same = parts(noise=0.0, momentum=0.9)
    train(ours, optimizer, loader)
    train(theirs, reference, same)
    # Opacus divides by the norm plus 1e-6.
    assert torch.allclose(weights(ours), weights(theirs), atol=1e-5)


def test_poisson_sampling_and_accounting_stay_the_engines():
    engine, model, optimizer, loader = parts(noise=1.3)
    optimizer = defend(optimizer, model, defenses.get("dprs", rate=0.5), **options(loader))
    sizes = []
    for x, y in loader:
        sizes.append(len(x))
        train(model, optimizer, [(x, y)])
    assert len(set(sizes)) > 1
    known = optimizer.defense
    assert (known.clip, known.noise_multiplier) == (0.5, 1.3)
    spent = known.epsilon(steps=len(loader), sample_rate=1 / len(loader), delta=1e-5)
    assert engine.get_epsilon(1e-5) == pytest.approx(spent, rel=0.05)
    assert optimizer.release.public["batch_size"] == 16


@pytest.mark.parametrize("name", ["dpsgd", "dprs", "none", "topk"])
def test_virtual_steps_give_the_same_weights_as_whole_batches(name):
    ended = []
    for limit in (1000, 5):
        # The last bits of the sums differ, and with them the noise.
        _, model, optimizer, loader = parts(noise=0.0, momentum=0.9)
        optimizer = defend(optimizer, model, defenses.get(name), **options(loader))
        with BatchMemoryManager(
            data_loader=loader, max_physical_batch_size=limit, optimizer=optimizer
        ) as batches:
            train(model, optimizer, batches)
        assert optimizer.steps_done == len(loader)
        ended.append(weights(model))
    assert torch.allclose(*ended, atol=1e-6)


def test_dropped_coordinates_do_not_move_with_momentum_and_weight_decay():
    _, model, optimizer, loader = parts(momentum=0.9, weight_decay=0.1)
    shield = defenses.get("dprs", rate=0.7, cooling=False)
    optimizer = defend(optimizer, model, shield, **options(loader))
    seen = []
    for batch in loader:
        before = weights(model)
        train(model, optimizer, [batch])
        kept = torch.cat([m.flatten() for m in optimizer.release.public["mask"].values()])
        assert torch.equal(before[~kept], weights(model)[~kept])
        assert bool((before[kept] != weights(model)[kept]).all())
        seen.append(kept)
    assert all(torch.equal(seen[0], k) for k in seen)  # one mask per epoch


def test_an_empty_poisson_batch_is_a_step_of_noise_only():
    _, model, optimizer, loader = parts(noise=1.0)
    optimizer = defend(optimizer, model, defenses.get("dpsgd"), **options(loader))
    before = weights(model)
    train(model, optimizer, [(torch.zeros(0, 6), torch.zeros(0, dtype=torch.long))])
    moved = weights(model) - before
    assert moved.any()
    assert float(moved.std()) == pytest.approx(0.3 * 1.0 * 0.5 / 16, rel=0.5)


def test_a_defense_of_the_users_own_gets_the_whole_batch():
    class Sizes(defenses.Defense):
        seen = []  # noqa: RUF012

        def release(self, grads, *, step=0, steps=1, batch_size=None, generator):
            self.seen.append(len(next(iter(grads.values()))))
            return Release({k: g.sum(0) / batch_size for k, g in grads.items()}, {}, 0)

        def replay(self, grads, release):
            raise NotImplementedError

    engine, model, optimizer, loader = parts()
    optimizer = defend(optimizer, model, Sizes(), **options(loader))
    with BatchMemoryManager(
        data_loader=loader, max_physical_batch_size=4, optimizer=optimizer
    ) as batches:
        train(model, optimizer, batches)
    assert len(Sizes.seen) == len(loader)
    assert max(Sizes.seen) > 4
    assert engine.get_epsilon(1e-5) == math.inf


@pytest.mark.parametrize("name", ["dprs", "adaptive", "randk", "dptopk"])
def test_a_checkpoint_of_the_engine_resumes_the_run(tmp_path, name):
    def fresh():
        engine, model, optimizer, loader = parts(noise=0.7, momentum=0.9)
        shield = configured(name)
        return engine, model, defend(optimizer, model, shield, **options(loader)), loader

    engine, model, optimizer, loader = fresh()
    batches = list(loader) + list(loader)
    train(model, optimizer, batches[:3])
    engine.save_checkpoint(path=tmp_path / "c.pt", module=model, optimizer=optimizer)
    train(model, optimizer, batches[3:])
    resumed, other, again, _ = fresh()
    resumed.load_checkpoint(path=tmp_path / "c.pt", module=other, optimizer=again)
    kept = again.memory.keys()
    assert bool(kept) == ("memory" in defenses.registry.find(name).wants)
    train(other, again, batches[3:])
    assert torch.equal(weights(model), weights(other))
    assert resumed.get_epsilon(1e-5) == engine.get_epsilon(1e-5)


def test_a_checkpoint_tells_nothing_of_the_noise_and_without_a_seed_it_is_never_drawn_twice():
    drawn = []
    for _ in range(2):
        _, model, optimizer, loader = parts()
        optimizer = defend(
            optimizer, model, defenses.get("dpsgd"), **options(loader) | {"seed": None}
        )
        assert "generator" not in optimizer.state_dict()["leakgauge"]
        train(model, optimizer, [(torch.zeros(0, 6), torch.zeros(0, dtype=torch.long))])
        drawn.append(optimizer.release.update["0.weight"])
    assert not torch.equal(*drawn)


def test_a_run_that_is_resumed_with_other_batches_meets_other_noise():
    """Under one seed, the difference of two releases would be that of the data."""

    def noise_of(kept: slice, name: str = "dpsgd") -> torch.Tensor:
        _, model, optimizer, loader = parts(noise=5.0)
        optimizer = defend(optimizer, model, defenses.get(name), **options(loader))
        x, y = next(iter(loader))
        optimizer.load_state_dict({**optimizer.state_dict(), "leakgauge": {"steps_done": 3}})
        optimizer.zero_grad()
        LOSS(model(x[kept]), y[kept]).backward()
        optimizer.pre_step()
        summed = optimizer.defense.replay(
            {n: p.grad_sample for n, p in optimizer.named.items()}, optimizer.release
        )
        left = {k: v - summed[k] for k, v in optimizer.release.update.items()}
        return torch.cat([v.flatten() for v in left.values()])

    whole, again, without = noise_of(slice(None)), noise_of(slice(None)), noise_of(slice(1, None))
    assert torch.equal(whole, again)
    assert abs(float(torch.corrcoef(torch.stack([whole, without]))[0, 1])) < 0.5


def test_of_summed_losses_the_release_is_what_its_replay_is():
    _, model, optimizer, loader = parts(noise=0.0)
    optimizer.loss_reduction = "sum"
    optimizer = defend(optimizer, model, defenses.get("dpsgd"), **options(loader))
    before, (x, y) = weights(model), next(iter(loader))
    train(model, optimizer, [(x, y)])
    released = torch.cat([v.flatten() for v in optimizer.release.update.values()])
    assert torch.allclose(before - weights(model), 0.3 * 16 * released, atol=1e-6)


def test_modes_that_are_not_supported_are_refused():
    _, model, optimizer, loader = parts()
    optimizer.secure_mode = True
    with pytest.raises(BadInput, match="secure_mode=True, which defend"):
        defend(optimizer, model, defenses.get("dpsgd"), **options(loader))
    optimizer.secure_mode = False
    optimizer.__class__ = type("Ghost", (type(optimizer),), {})
    with pytest.raises(BadInput, match="does not take the place of Ghost"):
        defend(optimizer, model, defenses.get("dpsgd"), **options(loader))


@pytest.mark.parametrize("scheduler", ["ExponentialNoise", "ExponentialGradClip"])
def test_noise_that_the_engine_counts_and_the_defense_does_not_draw_is_refused(scheduler):
    _, model, optimizer, loader = parts()
    optimizer = defend(optimizer, model, defenses.get("dpsgd"), **options(loader))
    made = getattr(schedulers, scheduler)(optimizer, gamma=4.0)
    train(model, optimizer, [next(iter(loader))])
    made.step()
    with pytest.raises(BadInput, match="was changed after defend"):
        train(model, optimizer, [next(iter(loader))])


def test_other_optimizers_are_refused():
    _, model, optimizer, _ = parts()
    with pytest.raises(BadInput, match="takes Opacus' DPOptimizer, not SGD"):
        defend(optimizer.original_optimizer, model, defenses.get("none"), sample_rate=0.1, steps=1)
    with pytest.raises(BadInput, match="not the model's"):
        defend(optimizer, nn.Linear(2, 2), defenses.get("none"), sample_rate=0.1, steps=1)


def test_what_acts_before_the_gradient_is_the_loops_own_business():
    _, model, optimizer, loader = parts()
    for name, message in (
        ("dpsgd+ats", "changes images before the gradient: show them in your data loader"),
        ("precode", "changes the model: give the engine"),
    ):
        with pytest.raises(BadInput, match=message):
            defend(optimizer, model, defenses.get(name), **options(loader))


def test_a_fitted_model_trains_in_opacus_loop():
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(64, 6), torch.randint(3, (64,)))
    shield = defenses.get("dpsgd+precode", code=4)
    plain = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
    fitted = preprocessing.equip(shield, plain, seeded())
    engine = PrivacyEngine(accountant="rdp")
    model, optimizer, loader = engine.make_private(
        module=fitted,
        optimizer=torch.optim.SGD(fitted.parameters(), 0.1),
        data_loader=DataLoader(data, batch_size=16, generator=seeded(1)),
        noise_multiplier=1.0,
        max_grad_norm=1.0,
    )
    optimizer = defend(optimizer, model, shield, **options(loader))
    before = weights(model)
    for x, y in loader:
        optimizer.zero_grad()
        (LOSS(model(x), y) + preprocessing.take_penalty(model)).backward()
        optimizer.step()
    assert not torch.equal(weights(model), before)
    assert 0 < engine.get_epsilon(1e-5) < math.inf


@pytest.mark.parametrize("name", ["dpsgd", "dprs", "adaptive", "none", "topk", "whole"])
def test_an_example_that_is_not_finite_is_left_out_of_the_step(name):
    class Whole(defenses.Defense):
        def release(self, grads, *, step=0, steps=1, batch_size=None, generator):
            return Release({k: g.sum(0) / batch_size for k, g in grads.items()}, {}, 0)

        def replay(self, grads, release):
            raise NotImplementedError

    updates = []
    for spoilt in (True, False):
        _, model, optimizer, loader = parts(noise=0.0)
        defense = Whole() if name == "whole" else defenses.get(name)
        optimizer = defend(optimizer, model, defense, **options(loader))
        x, y = torch.randn(8, 6, generator=seeded(3)), torch.arange(8) % 3
        LOSS(model(x), y).backward()
        kept = torch.arange(8) != 2
        for parameter in model.parameters():
            if not spoilt:
                parameter.grad_sample = parameter.grad_sample[kept]
        if spoilt:
            next(model.parameters()).grad_sample[2, 0, 0] = math.nan
        optimizer.pre_step()
        updates.append(optimizer.release.update)
    for key, value in updates[1].items():
        assert value.isfinite().all()
        assert torch.equal(updates[0][key], value)
    assert any(value.any() for value in updates[1].values())
