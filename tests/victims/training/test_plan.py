"""Plans: steps, noise and epsilon from a training and the size of its data."""

from __future__ import annotations

import math

import pytest

from defenses import BadInput
from tests.victims.training.small import small
from victims.training.plan import make_plan


class TestPlan:
    def test_an_epoch_is_one_over_the_sample_rate_steps(self):
        made = make_plan(small(epochs=3, batch_size=30), 200)
        assert made.sample_rate == 0.15
        assert made.steps == 20
        assert made.epoch_ends() == [7, 13, 20]

    def test_epsilon_sets_the_noise_for_the_whole_run(self):
        for accountant in ("rdp", "prv"):
            made = make_plan(small(epsilon=3.0, accountant=accountant), 200)
            assert 2.98 < made.epsilon(made.steps) <= 3
        assert made.epsilon(5) < made.epsilon(6)
        private = {"epsilon": 3.0, "accountant": "rdp"}
        gep = make_plan(small(**private, defense="gep"), 200).defense
        dpsgd = make_plan(small(**private), 200).defense
        assert gep.noise_multiplier == pytest.approx(math.sqrt(2) * dpsgd.noise_multiplier)

    def test_with_a_noise_multiplier_epsilon_is_a_budget_that_ends_the_run(self):
        fields = {"defense_options": {"noise_multiplier": 1.0}, "accountant": "rdp"}
        whole = make_plan(small(**fields), 200)
        budget = (whole.epsilon(11) + whole.epsilon(12)) / 2
        made = make_plan(small(**fields, epsilon=budget), 200)
        assert (made.cut, made.steps) == (True, 11)

    def test_an_epsilon_that_is_spent_refuses_to_train_on(self):
        with pytest.raises(BadInput, match="already spent: one more step"):
            make_plan(small(defense_options={"noise_multiplier": 0.5}, epsilon=0.1), 200)
        history = ((1.0, 0.1, 500),)
        with pytest.raises(BadInput, match="already spent: earlier training took"):
            make_plan(small(epsilon=1.0), 200, history)
        more = small(epsilon=20.0, accountant="rdp")
        later = make_plan(more, 200, history)
        assert 19.9 < later.epsilon(later.steps) <= 20
        assert later.defense.noise_multiplier > make_plan(more, 200).defense.noise_multiplier

    @pytest.mark.parametrize("name", ["none", "topk", "gaussian"])
    def test_no_epsilon_can_be_set_for_what_guarantees_none(self, name):
        with pytest.raises(BadInput, match="guarantees no epsilon"):
            make_plan(small(defense=name, epsilon=3.0), 200)

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"lr": 0.0}, "lr is 0"),
            ({"momentum": 1.0}, r"must be in \[0, 1\)"),
            ({"epochs": 0}, "epochs is 0; it must be >= 1"),
            ({"sampling": "cyclic"}, "known: poisson, shuffle"),
            ({"delta": 1.0}, "delta is 1"),
            ({"lr": math.nan}, "lr must be a number, not nan"),
        ],
    )
    def test_settings_outside_their_range_are_refused(self, changed, message):
        with pytest.raises(BadInput, match=message):
            small(**changed)

    def test_a_batch_larger_than_the_data_is_refused(self):
        with pytest.raises(BadInput, match="larger than the 10 examples"):
            make_plan(small(), 10)
