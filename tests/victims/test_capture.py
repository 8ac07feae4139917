"""What a server sees of a client is written beside its training, which stays as it was."""

from __future__ import annotations

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.functional import cross_entropy

import victims
from defenses import BadInput, stream
from victims.capture import capture, capture_training
from victims.gradients import LocalSteps
from victims.gradients.captured import Told

DIGITS = (1, 8, 8)
LR, MOMENTUM = 0.5, 0.9


@pytest.fixture
def net():
    return victims.load_model("linear", image_shape=DIGITS, generator=stream(0, "model"))


@pytest.fixture(scope="module")
def digits():
    return victims.load_data("digits", count=6)


ATTACK = ("--data", "digits", "--defense", "none", "--noises", "0", "--attack")


def facts(path):
    with safe_open(path, framework="pt") as file:
        return file.metadata()


def train(net, data, batch, lr=LR, momentum=MOMENTUM):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=momentum)
    for images, labels in zip(data.images.split(batch), data.labels.split(batch), strict=True):
        optimizer.zero_grad()
        cross_entropy(net(images), labels).backward()
        optimizer.step()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_local_steps_with_momentum_are_those_of_torchs_sgd(net, digits, momentum):
    local = LocalSteps(3, LR, 2, momentum)
    before = {k: p.detach().clone() for k, p in net.named_parameters()}
    alone = local.difference(net, cross_entropy, digits.images, digits.labels)
    many = local.differences(net, cross_entropy, digits.images[None], digits.labels[None])
    train(net, digits, 2, momentum=momentum)
    for name, parameter in net.named_parameters():
        moved = before[name] - parameter.detach()
        assert torch.allclose(alone[name][0], moved, atol=1e-6)
        assert torch.allclose(many[name][0], moved, atol=1e-6)
    assert LocalSteps.among(local.facts()) == local
    with pytest.raises(BadInput, match="local_momentum is 1; it must be in"):
        LocalSteps(1, LR, 1, 1.0)


def test_ones_own_gradient_takes_three_lines_and_is_attacked(net, digits, tmp_path, invoke):
    loss = cross_entropy(net(digits.images[:1]), digits.labels[:1])
    with capture_training(tmp_path / "seen.safetensors", net, batch=1):
        loss.backward()
    code, _, err = invoke("--observation", "seen.safetensors", "--model", "linear", *ATTACK, "auto")
    assert code == 0, err
    (out,) = tmp_path.glob("runs/*")
    guess = load_file(out / "arrays.safetensors")["none/adaptive"]
    assert torch.allclose(guess, digits.images[:1], atol=1e-3)


def test_only_what_the_block_adds_is_the_gradient(net, digits, tmp_path):
    cross_entropy(net(digits.images[:2]), digits.labels[:2]).backward()
    first = {k: p.grad.clone() for k, p in net.named_parameters()}
    with capture_training(tmp_path / "seen.safetensors", net, batch=2):
        cross_entropy(net(digits.images[:2]), digits.labels[:2]).backward()
    seen = load_file(tmp_path / "seen.safetensors")
    for name, gradient in first.items():
        assert torch.allclose(seen[f"update/{name}"], gradient, atol=1e-7)
    assert facts(tmp_path / "seen.safetensors")["batch"] == "2"
    with pytest.raises(ValueError, match="nothing is seen"), capture_training(tmp_path / "x", net):
        pass
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("to_none", [True, False])
def test_what_the_block_clears_first_is_not_taken_from_its_gradient(net, digits, tmp_path, to_none):
    grads = victims.per_example_gradients(net, cross_entropy, digits.images, digits.labels)
    cross_entropy(net(digits.images[:2]), digits.labels[:2]).backward()
    with capture_training(tmp_path / "seen.safetensors", net, batch=6):
        net.zero_grad(set_to_none=to_none)
        cross_entropy(net(digits.images), digits.labels).backward()
    seen = load_file(tmp_path / "seen.safetensors")
    for name, value in grads.items():
        assert torch.allclose(seen[f"update/{name}"], value.mean(0), atol=1e-6)


def test_several_steps_are_a_difference_that_states_its_facts(net, digits, tmp_path, invoke):
    path = tmp_path / "seen.safetensors"
    start = {k: v.clone() for k, v in net.state_dict().items()}
    told = dict(lr=LR, batch=2, examples=6, momentum=MOMENTUM)
    with capture_training(path, net, **told):
        train(net, digits, 2)
    assert facts(path)["local_steps"] == "3" and facts(path)["local_momentum"] == "0.9"
    seen = load_file(path)
    assert all(torch.equal(seen[f"weights/{k}"], v) for k, v in start.items())
    wanted = LocalSteps(3, LR, 2, MOMENTUM)
    flags = ("--observation", path, "--model", "linear", *ATTACK, "sme", "--iterations", "2")
    code, _, err = invoke(*flags, "--local-momentum", "0.5")
    assert code == 2 and "states local_momentum 0.9, but 0.5 was given" in err
    from attacks.invert.command import parse, scenario

    asked = scenario(parse([*map(str, flags)]))
    assert asked.local == wanted and asked.batch == 6 and asked.state == str(path)


@pytest.mark.parametrize(
    ("told", "local"),
    [
        (Told(6, 2, 0.1), LocalSteps(3, 0.1, 2)),
        (Told(6, 32, 0.1, momentum=0.9), LocalSteps(1, 0.1, 6, 0.9)),
        (Told(6, 4, 0.1), None),
        (Told(6, 2, 0.1, epochs=2), None),
        (Told(6, 2, None), None),
        (Told(None, 2, 0.1), None),
    ],
)
def test_steps_are_told_where_they_are_known_and_alike(told, local):
    assert told.local == local


def test_a_file_of_another_model_is_refused_in_one_line(net, digits, tmp_path, invoke):
    with capture_training(tmp_path / "seen.safetensors", net, batch=1):
        cross_entropy(net(digits.images[:1]), digits.labels[:1]).backward()
    for model, message in (("mlp", "does not fit the model"), ("lenet", "does not fit the model")):
        code, _, err = invoke(
            "--observation", "seen.safetensors", "--model", model, *ATTACK, "auto"
        )
        assert code == 2 and message in err
        assert len(err.rsplit("\r", 1)[-1].strip().splitlines()) == 1
    weights = {k: v for k, v in load_file(tmp_path / "seen.safetensors").items() if "weights/" in k}
    save_file(weights, tmp_path / "half.safetensors")
    code, _, err = invoke("--observation", "half.safetensors", "--model", "linear", *ATTACK, "auto")
    assert code == 2 and "lacks the parameter" in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["half.safetensors", "seen.safetensors"]


def flower_app(net, data, mods, batch=2, draws=None):
    """A client as people write it: weights in, one epoch, weights and a metric out."""
    app_of = pytest.importorskip("flwr.clientapp")
    flwr = pytest.importorskip("flwr.app")
    app = app_of.ClientApp(mods=mods)

    @app.train()
    def fit(message, context):
        net.load_state_dict(message.content["arrays"].to_torch_state_dict())
        train(net, data, batch)
        if draws is not None:
            draws.append(torch.rand(2))
        metrics = flwr.MetricRecord({"train_loss": 0.5, "num-examples": len(data.labels)})
        arrays = flwr.ArrayRecord(net.state_dict())
        content = flwr.RecordDict({"arrays": arrays, "metrics": metrics})
        return flwr.Message(content=content, reply_to=message)

    @app.evaluate()
    def test(message, context):
        metrics = flwr.MetricRecord({"num-examples": 1})
        return flwr.Message(content=flwr.RecordDict({"metrics": metrics}), reply_to=message)

    return app


def ask(app, weights, kind="train", number=None):
    """The app's answer to one message, in this process."""
    flwr = pytest.importorskip("flwr.app")
    identity = pytest.importorskip("flwr.supercore.task_identity").TaskIdentity
    identity.run_id = identity.node_id = identity.task_id = 1
    content = {"arrays": flwr.ArrayRecord(weights)}
    if number:
        content["config"] = flwr.ConfigRecord({"server-round": number})
    message = flwr.Message(content=flwr.RecordDict(content), dst_node_id=7, message_type=kind)
    message.metadata.__dict__["_message_id"] = "1"
    context = flwr.Context(
        run_id=1, node_id=7, node_config={}, state=flwr.RecordDict(), run_config={}
    )
    return app(message, context)


def test_a_flower_app_is_captured_by_one_line_and_sends_the_same_bits(net, digits, tmp_path):
    start = {k: v.clone() for k, v in net.state_dict().items()}
    folder = tmp_path / "seen"
    mods = [capture(folder, lr=LR, momentum=MOMENTUM, batch=2)]
    sent, drawn = [], []
    for mod in ([], mods):
        torch.manual_seed(0)
        draws = []
        app = flower_app(net, digits, mod, draws=draws)
        replies = [ask(app, start), ask(app, start, "evaluate"), ask(app, start, number=5)]
        sent.append(
            [
                r.content.to_bytes()
                if hasattr(r.content, "to_bytes")
                else [a.to_torch_state_dict() for a in r.content.array_records.values()]
                for r in replies
            ]
        )
        drawn.append(torch.cat(draws))
    assert torch.equal(*drawn)
    for with_, without in zip(*sent, strict=True):
        for one, other in zip(with_, without, strict=True):
            assert all(torch.equal(one[k], other[k]) for k in one)
    files = sorted(p.name for p in folder.iterdir())
    assert files == ["round-1-client-7.safetensors", "round-5-client-7.safetensors"]
    told = facts(folder / files[0])
    assert told["local_steps"] == "3" and told["examples"] == "6" and told["round"] == "1"
    local = LocalSteps(3, LR, 2, MOMENTUM)
    net.load_state_dict(start)
    wanted = local.difference(net, cross_entropy, digits.images, digits.labels)
    seen = load_file(folder / files[0])
    for name, value in wanted.items():
        assert torch.allclose(seen[f"update/{name}"], value[0], atol=1e-6)


def test_one_step_is_a_gradient_whatever_the_momentum(net, digits, tmp_path):
    start = {k: v.clone() for k, v in net.state_dict().items()}
    app = flower_app(net, digits, [capture(tmp_path, lr=LR, momentum=0.9, batch=32)], batch=32)
    ask(app, start)
    path = tmp_path / "round-1-client-7.safetensors"
    assert facts(path)["batch"] == "6" and "local_steps" not in facts(path)
    net.load_state_dict(start)
    grads = victims.per_example_gradients(net, cross_entropy, digits.images, digits.labels)
    seen = load_file(path)
    for name, value in grads.items():
        assert torch.allclose(seen[f"update/{name}"], value.mean(0), atol=1e-5)


def test_what_cannot_be_written_costs_a_warning_and_no_round(net, digits, tmp_path):
    start = {k: v.clone() for k, v in net.state_dict().items()}
    (tmp_path / "file").write_text("in the way")
    app = flower_app(net, digits, [capture(tmp_path / "file", lr=LR, batch=2)])
    with pytest.warns(UserWarning, match="capture wrote nothing"):
        reply = ask(app, start)
    assert reply.has_content() and not reply.has_error()


def test_names_that_are_not_those_of_the_message_cost_a_warning_and_no_round(net, digits, tmp_path):
    start = {k: v.clone() for k, v in net.state_dict().items()}
    app = flower_app(net, digits, [capture(tmp_path, lr=LR, batch=2, names=["only one"])])
    with pytest.warns(UserWarning, match="capture wrote nothing"):
        reply = ask(app, start)
    assert reply.has_content() and not reply.has_error()
    assert not list(tmp_path.iterdir())


def test_tied_weights_are_written_once_each(tmp_path, digits):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(64, 64), nn.Linear(64, 64)
            self.two.weight = self.one.weight

        def forward(self, x):
            return self.two(self.one(x.flatten(1)))

    from attacks.invert.observation.load import load_observation
    from defenses import get

    net = Tied()
    with capture_training(tmp_path / "seen.safetensors", net, lr=0.1, batch=6):
        train(net, digits, 6, lr=0.1)
    release = load_observation(tmp_path / "seen.safetensors", net, get("none"), 6)
    assert set(release.update) == {name for name, _ in net.named_parameters()}
