"""Members are sought in a participant's uploads over rounds, as its server sees them."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from attacks.membership.show import table
from attacks.membership.updates.command import command_line, parse, run, scenario
from attacks.membership.updates.control import undefended_twin
from attacks.membership.updates.observe import observe
from attacks.membership.updates.scenario import Scenario
from attacks.membership.updates.scores import add_up, of_upload
from attacks.membership.updates.study import draw
from attacks.membership.updates.watch import Seen, Watching, mean_of
from defenses import BadInput
from defenses.privacy.accounting import gaussian_epsilon
from reports import records
from reports.commands.progress import unwatched
from reports.evidence.control import CANNOT_JUDGE
from reports.records import membership
from victims.federated import serve
from victims.federated.participant import Participant
from victims.federated.scenario import Federation
from victims.federated.serve import Course
from victims.federated.victim import load_victim

SMALL = {"participants": 3, "examples": 30, "rounds": 8, "model": "mlp", "lr": 0.5}
ALONE = {**SMALL, "rule": "fedsgd", "defense": "none", "batch_size": 30}


def play(secure=False, **changed):
    return run(Scenario(Federation(**{**ALONE, **changed}), secure))


@pytest.fixture(scope="module")
def plain():
    return play()


def test_members_of_one_gradient_of_all_are_found(plain):
    found = membership.parse(plain)
    assert found.auc("cosine").low > 0.55
    assert found.epsilon == float("inf")
    assert set(found.scores) == {"fall", "cosine", "fall-beside-others", "cosine-beside-others"}
    assert "on 30 of digits, 2 other participants" in table(plain)


def gaps(seed):
    """How far members stand above others, in standard deviations, by uploads 0 and 1."""
    victim = load_victim(Federation(**ALONE, seed=seed))
    candidates, _ = draw(victim, 30)
    pool, truth = candidates.pool, candidates.members[0]
    own = pool.take(truth.nonzero()[:, 0])
    everybody = [victim.participant(i) for i in range(3)]
    everybody[0] = dataclasses.replace(everybody[0], images=own.images, labels=own.labels)
    scores = {0: [], 1: [], 2: []}

    def look(seen):
        scores[seen.participant].append(of_upload(victim.model, seen, pool.images, pool.labels))

    course = Course(victim.server())
    assert list(course.rounds(Watching(everybody, course, look))) == list(range(1, 9))
    found = []
    for who in (0, 1):
        score = add_up(scores[who], scores[2])["cosine-beside-others"]
        found.append(float((score[truth].mean() - score[~truth].mean()) / score.std()))
    return found


def test_another_participants_uploads_say_nothing_of_the_targets_members():
    own, other = torch.tensor([gaps(seed) for seed in range(4)]).mean(0)
    assert own > 0.45 > 0.3 > abs(other)


def test_of_sums_less_is_told_and_nothing_beside_others(plain):
    summed = play(secure=True)
    assert set(membership.parse(summed).scores) == {"fall", "cosine"}
    twin, itself = (membership.parse(r).control for r in (summed, plain))
    assert twin.beside and twin.areas == itself.areas
    alone, among = (membership.parse(r).auc("cosine").mean for r in (plain, summed))
    assert among < alone
    update = {"w": torch.ones(2)}
    one, other = (Seen(i, 0, update, {"w": torch.full((2,), float(i))}) for i in (1, 3))
    assert torch.equal(mean_of([one, other]).update["w"], torch.full((2,), 2.0))


def asked(monkeypatch, *rounds):
    """Let the server ask these participants round after round."""
    following = iter(rounds)
    monkeypatch.setattr(serve, "chosen_in_round", lambda *_: next(following))


def test_a_sum_is_the_targets_only_in_rounds_that_it_is_in(monkeypatch):
    asked(monkeypatch, [0, 1], [1, 2], [], [2])
    victim = load_victim(Federation(**{**ALONE, "rule": "fedavg", "rounds": 4}))
    seen = observe(victim, victim.server(sums=True), draw(victim, 30)[0], unwatched)
    assert len(seen.mine) == seen.server.asked[0] == 1
    assert len(seen.rest) == 2


@pytest.mark.parametrize("secure", [False, True])
def test_a_target_that_was_in_no_round_is_not_judged(monkeypatch, secure):
    asked(monkeypatch, [1], [1, 2])
    with pytest.raises(BadInput, match="the target was in none of 2 rounds"):
        play(secure=secure, rule="fedavg", rounds=2)


def changed_target(monkeypatch, factor):
    """Let the target send so many times what it has learned."""
    honest = Participant.upload

    def other(self, *arguments):
        update = honest(self, *arguments)
        return {k: v * (factor if self.index == 0 else 1) for k, v in update.items()}

    monkeypatch.setattr(Participant, "upload", other)


def test_a_loud_upload_is_rejected_where_it_is_seen_and_not_in_a_sum(monkeypatch):
    """The target sends a thousand times as much as the rest, which nobody sees in a sum."""
    changed_target(monkeypatch, 1000)
    victim = load_victim(Federation(**{**ALONE, "rule": "fedavg", "rounds": 2}))
    seen, summed = (
        observe(victim, victim.server(sums=sums), draw(victim, 30)[0], unwatched)
        for sums in (False, True)
    )
    assert [dict(counts) for counts in seen.server.rejected] == [{"norm": 2}, {}, {}]
    assert [dict(counts) for counts in summed.server.rejected] == [{}, {}, {}]
    assert len(summed.mine) == 2


def test_one_upload_that_is_not_finite_spoils_the_sum_and_everybodys(monkeypatch):
    changed_target(monkeypatch, float("nan"))
    victim = load_victim(Federation(**{**ALONE, "rule": "fedavg", "rounds": 2}))
    server = victim.server(sums=True)
    with pytest.raises(BadInput, match="all 2 uploads of the target were rejected"):
        observe(victim, server, draw(victim, 30)[0], unwatched)
    assert [dict(counts) for counts in server.rejected] == [{"unfinite": 2}, {"sum": 2}, {"sum": 2}]
    assert all(torch.equal(server.weights[k], v) for k, v in victim.start.items())


def test_what_is_not_found_is_judged_by_the_undefended_twin_at_the_same_seed(plain):
    own = membership.parse(plain).control
    assert not own.beside and own.holds
    hidden = play(defense="dpsgd", defense_options={"noise_multiplier": 50.0})
    found = membership.parse(hidden)
    assert found.auc("cosine").low < 0.5
    assert found.control.beside and found.control.holds and not found.doubt
    shown = table(hidden)
    assert "control: in the undefended twin at the same seed members are told from chance" in shown
    assert CANNOT_JUDGE not in shown and "learned" not in shown


def test_the_twin_of_a_server_of_sums_rejects_no_norm_either():
    federation = Federation(**{**ALONE, "rule": "fedavg"})
    assert undefended_twin(federation).norm_limit == federation.norm_limit
    assert undefended_twin(federation, sums=True).norm_limit == math.inf


def test_controls_of_several_records_share_one_error(plain):
    hidden = play(defense="dpsgd", defense_options={"noise_multiplier": 50.0})
    two = [membership.parse(r) for r in (plain, hidden)]
    alone = [one.control for one in two]
    assert [one.compared for one in alone] == [4, 4]
    told = membership.parse(plain).told
    assert all(told.keys() == one.samples.keys() == one.told.keys() for one in alone)
    together = [one.control for one in membership.judge_together(two)]
    assert [one.compared for one in together] == [8, 8]
    for one, other in zip(alone, together, strict=True):
        assert one.areas == pytest.approx(one.told)
        assert all(other.areas[k].low < one.areas[k].low for k in one.areas)


def test_without_a_control_that_works_nothing_can_be_judged(plain):
    weak = {"beside": True, "auc": {"fall": {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 60}}}
    failed = dataclasses.replace(plain, summary={**plain.summary, "control": weak})
    assert "control: cannot be judged: in the undefended twin" in table(failed)
    assert "are not told from chance: AUC 0.500 [0.400, 0.600] by fall" in table(failed)
    rest = {k: v for k, v in plain.summary.items() if k != "control"}
    missing = dataclasses.replace(plain, summary=rest)
    assert membership.parse(missing).doubt == "no undefended twin was played"
    assert "What is not found is no evidence: it cannot be judged" in table(missing)


def test_equal_scenarios_give_equal_records_and_the_command_says_them_again(plain):
    assert records.canonical(play()) == records.canonical(plain)
    for secure in (False, True):
        made = Scenario(Federation(**ALONE), secure)
        assert scenario(parse(command_line(made).split()[3:])) == made


def test_what_is_guaranteed_is_of_one_example_with_its_own_sampling():
    noisy = {"defense": "dpsgd", "defense_options": {"noise_multiplier": 2.0}}
    noised = play(**noisy, batch_size=10)
    bounds = noised.bounds
    assert (
        f"of one example of participant 0, its own 8 uploads are ({bounds['epsilon']:.4g}, 1e-05)"
        in table(noised)
    )
    rate = 10 / 30
    expected = gaussian_epsilon(2.0, steps=8, sample_rate=rate, delta=1e-5, accountant="prv")
    assert bounds["epsilon"] == pytest.approx(expected)
    assert bounds["sample_rate"] == pytest.approx(rate)


def test_a_guarantee_of_whole_updates_counts_half_its_noise_for_one_example():
    noisy = {"defense": "dpsgd", "defense_options": {"noise_multiplier": 4.0}}
    bounds = play(**noisy, rule="fedavg", rounds=2).bounds
    expected = gaussian_epsilon(2.0, steps=2, sample_rate=1.0, delta=1e-5, accountant="prv")
    assert bounds["epsilon"] == pytest.approx(expected)


def test_who_may_be_a_member_is_nobody_elses(plain):
    federation = Federation(**ALONE)
    victim = load_victim(federation)
    candidates, others = draw(victim, 30)
    seen = {bytes(x.numpy().tobytes()) for x in candidates.pool.images}
    assert len(candidates.pool.labels) == 60 and len(others) == 2
    assert not any(bytes(x.numpy().tobytes()) in seen for data in others for x in data.images)
    assert 15 <= int(candidates.members.sum()) <= 45


@pytest.mark.parametrize(
    ("changed", "secure", "message"),
    [
        ({"examples": None}, False, "examples is None"),
        ({"examples": 9}, False, "examples is 9"),
        ({"participants": 1}, False, "participants is 1"),
        ({"theta_d": 0.5}, False, "theta_d is 0.5"),
        ({}, True, "under dssgd the server adds one upload at a time"),
        ({"rule": "fedavg", "where": "server", "defense": "dpsgd"}, True, "clips one by one"),
        ({"rule": "fedavg", "norm_limit": 9.0}, True, "norm_limit is of single uploads"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_line(changed, secure, message):
    with pytest.raises(BadInput, match=message) as caught:
        Scenario(Federation(**{**SMALL, **changed}), secure)
    assert "\n" not in str(caught.value)


def test_too_few_examples_for_candidates_are_refused():
    with pytest.raises(BadInput, match="need 1300; there are"):
        run(Scenario(Federation(**{**ALONE, "participants": 12, "examples": 100})))
