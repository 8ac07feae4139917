"""What server and participants do, by hand, without an engine."""

from __future__ import annotations

import pytest
import torch

from defenses.gradients import flat
from tests.victims.federated.federations import victim
from victims.federated import wire
from victims.federated.local import difference_after
from victims.federated.participant import LOCAL
from victims.federated.reject import norm
from victims.gradients import LocalSteps

DPSGD = {"defense": "dpsgd", "defense_options": {"clip": 0.1, "noise_multiplier": 0.0}}


def upload(made, who=0, round=0, kept=None, weights=None):
    participant = made.participant(who)
    kept = {} if kept is None else kept
    return participant.upload(dict(made.start) if weights is None else weights, round, kept)


def test_local_training_is_that_of_the_projects_local_steps():
    made = victim()
    own = made.participant(0)
    draw = torch.Generator().manual_seed(3)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(3))
    moved = difference_after(
        made.model, made.start, own.images, own.labels, lr=0.1, batch=10, epochs=1, generator=draw
    )
    steps = LocalSteps(4, 0.1, 10)
    made.participant(0)
    with torch.no_grad():
        for name, parameter in made.model.named_parameters():
            parameter.copy_(made.start[name])
    loss = torch.nn.functional.cross_entropy
    expected = steps.difference(made.model, loss, own.images[order], own.labels[order])
    assert all(torch.allclose(moved[k], expected[k][0], atol=1e-6) for k in moved)


def test_participants_have_their_own_examples_and_no_others():
    made = victim()
    owned = [made.owners[i * 40 : (i + 1) * 40].tolist() for i in range(4)]
    assert len({j for own in owned for j in own}) == 160
    assert torch.equal(made.participant(2).images, made.train.images[made.owners[80:120]])
    assert victim(seed=1).owners.tolist() != made.owners.tolist()


def test_the_server_adds_what_a_participant_learned():
    made = victim(defense_options={"selection": "all"})
    server = made.server()
    offered = server.offer(0)
    assert all(torch.equal(offered[k], v) for k, v in made.start.items())
    sent = upload(made)
    server.add(0, wire.pack(sent), 0)
    trained = {k: made.start[k] - sent[k] for k in sent}
    assert all(torch.equal(server.weights[k], v) for k, v in trained.items())
    # One participant that shares everything is training alone.
    assert (server.added, dict(server.ages)) == (1, {0: 1})


def test_a_selected_share_leaves_and_the_rest_stays():
    made = victim(defense_options={"theta_u": 0.1})
    whole = flat(upload(victim(defense_options={"selection": "all"})))
    sent = flat(upload(made))
    assert int(sent.count_nonzero()) == int(0.1 * len(whole))
    # Other streams, for another federation: the order of the batches is not the same.
    assert norm({"": sent}) < norm({"": whole}) * 1.5


def test_what_was_not_downloaded_stays_the_participants_own():
    made = victim(theta_d=0.3, defense_options={"selection": "all"})
    kept: dict[str, torch.Tensor] = {}
    sent = upload(made, kept=kept)
    for name, value in sent.items():
        assert torch.allclose(kept[LOCAL + name], made.start[name] - value)
    server = made.server()
    offered = server.offer(0)
    assert sum(len(v) for k, v in offered.items() if "#" in k) == int(0.3 * 650)
    laid = wire.unpack(offered, made.participant(0).begin(kept))
    here = flat(laid) == flat(made.start)
    assert int(here.sum()) >= int(0.3 * 650)
    assert int((flat(laid) == flat({k: kept[LOCAL + k] for k in sent})).sum()) >= 650 - 195


def test_the_counters_decide_what_is_downloaded():
    made = victim(theta_d=0.1, decay=0.9, defense_options={"theta_u": 0.1})
    server = made.server()
    sent = upload(made)
    server.add(0, wire.pack(sent), 0)
    mask = {k: torch.zeros_like(v, dtype=torch.bool) for k, v in made.start.items()}
    for name, index in server.offer(1).items():
        if name.endswith(wire.INDICES):
            mask[name.removesuffix(wire.INDICES)].view(-1)[index.long()] = True
    assert torch.equal(flat(mask), flat(sent) != 0)


def test_each_participant_clips_its_update_and_the_server_takes_the_mean():
    made = victim(rule="fedavg", **DPSGD)
    uploads = {i: upload(made, i) for i in range(4)}
    assert all(norm(u) <= 0.1 for u in uploads.values())
    server = made.server()
    server.combine({i: wire.pack(u) for i, u in uploads.items()}, 0)
    mean = torch.stack([flat(u) for u in uploads.values()]).mean(0)
    assert torch.allclose(flat(server.weights), flat(made.start) - mean, atol=1e-7)


def test_the_server_clips_each_participant_and_divides_by_the_expected_number():
    # With next to no noise: without any there is no guarantee, and norms are compared.
    options = {"clip": 0.1, "noise_multiplier": 1e-7}
    made = victim(
        rule="fedavg", where="server", share=0.5, defense="dpsgd", defense_options=options
    )
    uploads = {i: upload(made, i) for i in (0, 1, 3)}
    assert all(norm(u) > 0.1 for u in uploads.values()), "the participants send it as it is"
    server = made.server()
    server.combine({i: wire.pack(u) for i, u in uploads.items()}, 0)
    clipped = torch.stack([flat(u) * 0.1 / norm(u) for u in uploads.values()]).sum(0)
    assert torch.allclose(flat(server.weights), flat(made.start) - clipped / 2, atol=1e-6)
    # However long one is, the others' fate does not hang on it.
    other = made.server()
    uploads[1] = {k: 1e3 * v for k, v in uploads[1].items()}
    other.combine({i: wire.pack(u) for i, u in uploads.items()}, 0)
    assert torch.allclose(flat(other.weights), flat(server.weights), atol=1e-6)
    assert not any(other.rejected)


def test_noise_falls_at_the_participant_and_is_another_each_time():
    noisy = {"defense": "dpsgd", "defense_options": {"clip": 1e-6, "noise_multiplier": 1e6}}
    made = victim(rule="fedavg", **noisy)
    sent = [flat(upload(made, i, r)) for i in (0, 1) for r in (0, 1)]
    assert all(float(v.std()) == pytest.approx(1.0, rel=0.15) for v in sent)
    correlations = torch.corrcoef(torch.stack(sent)).fill_diagonal_(0).abs()
    assert float(correlations.max()) < 5 / 650**0.5


def test_gradients_of_a_poisson_batch_are_what_fedsgd_sends():
    made = victim(rule="fedsgd", batch_size=10, lr=0.5)
    own = made.participant(0)
    rows = own.gradient(made.start, 0)
    sizes = [len(own.gradient(made.start, r)["1.1.weight"]) for r in range(60)]
    assert len(set(sizes)) > 3
    assert 7 < sum(sizes) / 60 < 13
    sent = upload(made)
    assert torch.allclose(flat(sent), flat({k: v.sum(0) / 10 for k, v in rows.items()}), atol=1e-6)
    server = made.server()
    server.combine({0: wire.pack(sent)}, 0)
    assert torch.allclose(flat(server.weights), flat(made.start) - 0.5 * flat(sent))


def test_a_defense_that_remembers_does_so_for_each_participant():
    made = victim(rule="fedavg", defense="randk", defense_options={"rate": 0.5})
    kept: dict[str, torch.Tensor] = {}
    upload(made, kept=kept)
    assert any(k.startswith("memory.randk.") and v.any() for k, v in kept.items())
    second = flat(upload(made, round=1, kept=kept))
    assert not torch.equal(second, flat(upload(made, round=1)))


class TestWhatIsNotTaken:
    def server(self, **changed):
        made = victim(defense_options={"selection": "all"}, **changed)
        server = made.server()
        for i in range(4):
            server.add(i, wire.pack(upload(made, i)), 0)
        return made, server, {k: v.clone() for k, v in server.weights.items()}

    @pytest.mark.parametrize(
        ("reason", "answer"),
        [
            ("crashed", lambda u: "crashed"),
            ("late", lambda u: "late"),
            ("shape", lambda u: {**u, "1.1.bias": torch.ones(11)}),
            ("shape", lambda u: {"1.1.bias": u["1.1.bias"]}),
            ("shape", lambda u: {"1.1.bias#indices": torch.ones(2, dtype=torch.int32), **u}),
            ("shape", lambda u: {k: v.double() for k, v in u.items()}),
            ("unfinite", lambda u: {k: v * float("nan") for k, v in u.items()}),
            ("unfinite", lambda u: {k: v / 0 for k, v in u.items()}),
            ("norm", lambda u: {k: 10 * v for k, v in u.items()}),
        ],
    )
    def test_it_is_counted_and_moves_nothing(self, reason, answer):
        made, server, before = self.server()
        server.add(2, answer(upload(made, 2, 0)), 0)
        assert dict(server.rejected[2]) == {reason: 1}
        assert all(torch.equal(server.weights[k], before[k]) for k in before)
        assert server.added == 4

    def test_in_a_round_too_the_first_included(self):
        made = victim(rule="fedavg")
        good = {i: wire.pack(upload(made, i)) for i in range(4)}
        alone, among = made.server(), made.server()
        alone.combine({i: good[i] for i in (0, 1, 3)}, 0)
        bad = {k: 10 * v for k, v in good[2].items()}
        among.combine({**good, 2: bad}, 0)
        assert dict(among.rejected[2]) == {"norm": 1}
        assert all(torch.equal(among.weights[k], alone.weights[k]) for k in alone.weights)

    def test_a_round_of_nobody_moves_nothing(self):
        made = victim(rule="fedavg")
        server = made.server()
        server.combine({0: "crashed"}, 0)
        server.combine({}, 1)
        assert torch.equal(flat(server.weights), flat(made.start))
