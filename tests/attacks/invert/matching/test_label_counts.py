from __future__ import annotations

import torch

from attacks.invert.matching.label_counts import MANY, mend_counts

CLASSES, SIZE = 6, 32
TEMPLATES = 0.16 - torch.eye(CLASSES, dtype=torch.float64)
COMMON = torch.tensor([1.0, -2.0, 1.5, 0.5, -1.5, 0.5], dtype=torch.float64)
SPREAD = SIZE * 0.01 * COMMON.outer(COMMON)


def test_what_all_images_of_a_batch_have_in_common_is_not_taken_for_labels():
    draw = torch.Generator().manual_seed(0)
    for _ in range(20):
        labels = torch.randint(CLASSES, (SIZE,), generator=draw)
        truth = torch.bincount(labels, minlength=CLASSES)
        shown = truth.double() @ TEMPLATES + 0.7 * COMMON
        rounded = (SIZE * 0.16 - shown).round().long()
        assert not torch.equal(rounded, truth)
        rounded[rounded.argmax()] += SIZE - rounded.sum()
        assert torch.equal(mend_counts(rounded.clamp(min=0), TEMPLATES, shown, SPREAD), truth)


def test_counts_that_are_right_stay_and_none_falls_below_zero():
    truth = torch.tensor([32, 0, 0, 0, 0, 0])
    shown = truth.double() @ TEMPLATES
    assert torch.equal(mend_counts(truth, TEMPLATES, shown, SPREAD), truth)
    beyond = mend_counts(truth, TEMPLATES, 1.5 * shown, SPREAD)
    assert int(beyond.min()) >= 0
    assert int(beyond.sum()) == SIZE


def test_more_classes_than_can_be_exchanged_are_left_as_they_are():
    counts = torch.ones(MANY + 1, dtype=torch.int64)
    nothing = torch.zeros(MANY + 1, 3, dtype=torch.float64)
    shown, spread = torch.ones(3).double(), torch.eye(3).double()
    assert torch.equal(mend_counts(counts, nothing, shown, spread), counts)
