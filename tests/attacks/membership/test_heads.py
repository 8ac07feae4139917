"""Members of a head are sought by shadow heads; the Record is that of a membership study."""

from __future__ import annotations

import pytest
import torch

from attacks.membership.heads.__main__ import main
from attacks.membership.heads.command import command_line, parse, run, scenario
from attacks.membership.heads.scenario import Scenario
from attacks.membership.shadows.candidates import draw_members
from defenses import BadInput
from reports import records
from reports.detection import gdp_bound
from reports.records import membership
from reports.records.find import gather
from reports.records.kinds import sort_out
from victims.transfer.scenario import Transfer

WORDS = ["--method", "dp-ls", "--count", "60", "--population", "20"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAKGAUGE_FEATURES", str(tmp_path / "features"))


def play(**changed):
    transfer = Transfer(**{"backbone": "raw", "count": 60, "method": "dp-ls", **changed})
    return run(Scenario(transfer, shadows=16, population=20))


def test_members_of_a_head_without_noise_are_found_and_noise_hides_them():
    plain = membership.parse(play(noise_multiplier=0.0))
    hidden = membership.parse(play(epsilon=0.1))
    assert plain.learned is not None
    assert plain.learned.holds
    assert plain.auc("lira").low > 0.6
    assert plain.epsilon == float("inf")
    assert hidden.epsilon == pytest.approx(0.1)
    assert hidden.auc("lira").mean < 0.65


def test_equal_scenarios_give_equal_records():
    one, other = play(epsilon=4.0), play(epsilon=4.0)
    assert records.canonical(one) == records.canonical(other)
    assert 40 <= int(one.arrays["members"].sum()) <= 80
    assert len(one.rows) == 120


def seen_by_the_best(draw_rows, mu, games=1000):
    """TPR and FPR in a game of two examples, +1 and -1, whose sum is seen under noise of 1 / mu."""
    scores, there = [], []
    noise = torch.randn(games, generator=torch.Generator().manual_seed(0)) / mu
    for game in range(games):
        members = draw_rows(1, 2, game)[0]
        scores.append(float(members[0]) - float(members[1]) + float(noise[game]))
        there.append(bool(members[0]))
    accused, inside = torch.tensor(scores) > 0.4, torch.tensor(there)
    return float(accused[inside].double().mean()), float(accused[~inside].double().mean())


def draw_half(n, shadows, seed):
    draw = torch.Generator().manual_seed(seed)
    return torch.randperm(2 * n, generator=draw)[None] < n


def test_coins_keep_to_the_line_that_a_known_number_of_members_exceeds():
    mu = 1.0
    slack = 3 * (0.25 / 500) ** 0.5
    true, false = seen_by_the_best(draw_members, mu)
    assert true <= float(gdp_bound(false, mu)) + slack
    true, false = seen_by_the_best(draw_half, mu)
    assert true > float(gdp_bound(false, mu)) + slack


def test_of_a_pair_of_shadows_one_has_whom_the_other_has_not():
    rows = draw_members(50, 6, 3)
    assert rows.shape == (7, 100)
    assert torch.equal(rows[1::2], ~rows[2::2])
    assert len({int(row.sum()) for row in rows}) > 2
    assert torch.equal(rows, draw_members(50, 6, 3))


def test_shadows_split_the_candidates_and_have_noise_of_their_own(monkeypatch):
    from victims.transfer.methods.dp_ls import LeastSquares

    heads = []
    fit = LeastSquares.fit

    def noted(self, problem, mechanism):
        heads.append(fit(self, problem, mechanism))
        return heads[-1]

    monkeypatch.setattr(LeastSquares, "fit", noted)
    play(epsilon=0.01)  # as good as noise alone
    flat = torch.stack([head.flatten() for head in heads])
    assert len(heads) == 17
    assert float((torch.corrcoef(flat) - torch.eye(17)).abs().max()) < 0.5


def test_the_command_draws_and_finds_its_record_again(tmp_path, capsys):
    words = [*WORDS, "--shadows", "4", "--attacks", "loss", "rmia", "--out", "out"]
    assert main(words) == 0
    told = capsys.readouterr()
    assert "dp-ls: raw on 60 of digits, 4 shadow models" in told.out
    assert "could not be drawn" not in told.err
    assert main(words) == 0
    assert "holds this result already" in capsys.readouterr().out
    assert len(sort_out(gather([tmp_path / "out"])).memberships) == 1


def test_the_command_line_says_the_scenario_again():
    game = scenario(parse([*WORDS, "--shadows", "8", "--attacks", "loss", "--seed", "3"]))
    assert scenario(parse(command_line(game).split()[3:])) == game


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--shadows", "3"], "even number"),
        (["--count", "5"], "members is 5"),
        (["--population", "1"], "population is 1"),
        (["--count", "5000"], "10200 were asked for"),
        (["--attacks", "oracle"], "unknown membership attack"),
        (["--method", "dp-sgd", "--batch-size", "61"], "larger than the 60 examples"),
    ],
)
def test_what_cannot_be_attacked_is_refused(words, told, tmp_path):
    given = [*WORDS, "--population", "200", *words, "--out", "out"]
    with pytest.raises(BadInput, match=told):
        main(given)
    assert not (tmp_path / "out").exists()
