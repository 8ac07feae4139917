"""Updates that are not the model's, not finite or out of line are rejected."""

from __future__ import annotations

import math

import pytest
import torch

from tests.victims.federated.updates import one
from victims.federated.reject import is_out_of_line, reason_to_reject


class TestWhatIsRejected:
    def reason(self, **changed):
        return reason_to_reject({**one(), **changed}, one())

    def test_shapes_names_and_types_that_are_not_the_models(self):
        assert self.reason() is None
        assert self.reason(weight=torch.ones(40, 29)) == "shape"
        assert self.reason(weight=torch.ones(40, 30).double()) == "shape"
        assert self.reason(more=torch.ones(1)) == "shape"
        assert reason_to_reject({"bias": torch.ones(40)}, one()) == "shape"

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
    def test_values_that_are_not_finite(self, bad):
        weight = torch.ones(40, 30)
        weight[3, 4] = bad
        assert self.reason(weight=weight) == "unfinite"

    def test_lengths_out_of_line(self):
        assert is_out_of_line(10.0, [1.0, 1.1, 0.9], 5.0)
        assert not is_out_of_line(4.9, [1.0, 1.1, 0.9], 5.0)
        assert not is_out_of_line(10.0, [1.0, 1.1], 5.0), "two are no usual length"
        assert is_out_of_line(10.0, [10.0, 1.1, 0.9, 1.0], 5.0), "one bad one sets no measure"
        assert not is_out_of_line(1e9, [1.0, 1.0, 1.0], math.inf)
