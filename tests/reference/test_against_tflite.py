"""The oracle gives the bytes of TFLite's reference kernels, for random models of every operator."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import SingleOp, conv_models, dense_models, depthwise_models, seeds
from strategies_elementwise import EVERY_OPERATOR_WITHOUT_WEIGHTS

from tvm_wvv.quant import operators as ops
from tvm_wvv.reference.golden import Golden

EVERY_OPERATOR = {
    "conv2d": conv_models(),
    "conv2d-grouped": conv_models(grouped=True),
    "depthwise": depthwise_models(),
    "dense": dense_models(),
    **EVERY_OPERATOR_WITHOUT_WEIGHTS,
}


def assert_same_bytes(case: SingleOp, seed: int) -> None:
    """Oracle and reference kernels agree on samples of both extremes and of random bytes."""
    samples = case.samples(seed)
    golden = Golden(case.model, num_threads=1).run(*samples)["output"]
    ours = np.stack([case.oracle(one) for one in zip(*samples, strict=True)])
    assert ours.dtype == golden.dtype == np.dtype(np.float32 if isinstance(case.op, ops.Dequantize) else np.int8)
    # As integers: equal floats may differ in bits.
    bits = np.int32 if ours.dtype == np.float32 else np.int8
    np.testing.assert_array_equal(ours.view(bits), golden.view(bits), err_msg=str(case.op))


@pytest.mark.parametrize("kind", EVERY_OPERATOR)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), seed=seeds)
def test_oracle_gives_the_bytes_of_the_reference_kernels(kind: str, data: st.DataObject, seed: int) -> None:
    assert_same_bytes(data.draw(EVERY_OPERATOR[kind]), seed)
