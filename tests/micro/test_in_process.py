"""The LLVM runner against NumPy, and what it says to inputs that do not fit."""

from __future__ import annotations

import numpy as np
import pytest
from lowered_models import MODELS, awkward, residual

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.in_process import InProcess


@pytest.mark.parametrize("name", MODELS)
def test_outputs_equal_the_oracle(name: str) -> None:
    model = MODELS[name]()
    runner = InProcess(model.lowered)
    for seed in range(3):
        inputs = model.inputs(seed)
        for got, expected in zip(runner.run(inputs), model.oracle(inputs), strict=True):
            np.testing.assert_array_equal(got, expected, strict=True)


def test_the_module_is_left_as_it_was() -> None:
    lowered = residual().lowered
    before = lowered.module.script(show_meta=True)
    InProcess(lowered)
    assert lowered.module.script(show_meta=True) == before


def test_inputs_that_do_not_fit_are_refused_with_both_shapes() -> None:
    runner = InProcess(awkward().lowered)
    with pytest.raises(WvvError, match="1 inputs given, the model takes 2"):
        runner.run((np.zeros((2, 6), np.int8),))
    with pytest.raises(WvvError, match=r"input '2nd': got int8 \(6, 2\), needs int8 \(2, 6\)"):
        runner.run((np.zeros((2, 6), np.int8), np.zeros((6, 2), np.int8)))
