"""Accuracy and fidelity from arrays whose figures are counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tvm_wvv.errors import WvvError
from tvm_wvv.report.score import Score, score

OUTPUTS = np.array([[[-128, 5, 4]], [[7, 7, -1]], [[0, 1, 2]], [[127, -128, 3]]], np.int8)


def test_counts_by_hand():
    reference = OUTPUTS.copy()
    reference[1, 0, 2] = -2  # same class, other bytes
    reference[2, 0] = [3, 1, 2]  # another class
    # Right: image 0 (class 1), image 1 (a tie goes to class 0); wrong: images 2 and 3.
    labels = np.array([1, 0, 1, 2])
    assert score(OUTPUTS, labels, reference) == Score(4, 50.0, 0.75, 0.5)


def test_floats_are_compared_by_their_bits():
    outputs = np.array([[0.0, 1.0], [0.0, 1.0], [np.nan, 1.0]], np.float32)
    reference = np.array([[0.0, 1.0], [-0.0, 1.0], [np.nan, 1.0]], np.float32)
    assert score(outputs, np.array([1, 1, 1]), reference).identical == pytest.approx(2 / 3)


def test_without_reference_fidelity_is_unknown_not_zero():
    assert score(OUTPUTS, np.array([1, 0, 2, 0]), None) == Score(4, 100.0, None, None)


def test_labels_beyond_the_classes_are_refused():
    with pytest.raises(WvvError, match="labels go up to 3, the model tells 3 classes apart"):
        score(OUTPUTS, np.array([0, 1, 2, 3]), None)
