"""The generated C of scheduled kernels gives the oracle's bytes on the host, and nothing in it is undefined in C11."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import require_tool
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernel_run import CKernel, kernel_for, operands
from strategies import conv_models, dense_models, depthwise_models, seeds
from strategies_elementwise import EVERY_OPERATOR_WITHOUT_WEIGHTS

from tvm_wvv.schedules import cortex_m

KINDS = {
    "conv2d": conv_models(grouped=True),
    "depthwise": depthwise_models(),
    "dense": dense_models(),
    **EVERY_OPERATOR_WITHOUT_WEIGHTS,
}


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), seed=seeds)
def test_c_of_scheduled_kernels(
    kind: str, tmp_path_factory: pytest.TempPathFactory, capfd: pytest.CaptureFixture, data: st.DataObject, seed: int
) -> None:
    case = data.draw(KINDS[kind])
    kernel = kernel_for(case)
    # A folder for each example: the loader would give back the first library for the same path.
    folder: Path = tmp_path_factory.mktemp(kind)
    run = CKernel(cortex_m.schedule(kernel.func), require_tool("cc"), folder)
    for one in zip(*case.samples(seed), strict=True):
        np.testing.assert_array_equal(run(operands(case, one, kernel)), case.oracle(one), err_msg=str(case.op))
    assert "runtime error" not in capfd.readouterr().err
