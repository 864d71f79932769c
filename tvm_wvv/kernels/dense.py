"""int8 fully connected layer (numerics.md, N2): stages `dense`, `requantize`.

The input is read as rows, whatever its shape is.
"""

from __future__ import annotations

import math

import numpy as np
from tvm import te

from tvm_wvv.kernels.indices import unravel
from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.output_stage import OutputStage
from tvm_wvv.kernels.weights import blocked, channel_block, folded_bias, sum_bound
from tvm_wvv.quant.operators import FullyConnected
from tvm_wvv.quant.parameters import dense_multipliers


def fully_connected(op: FullyConnected, x_shape: Shape, weights: np.ndarray, bias: np.ndarray | None) -> Kernel:
    """Weights are (outputs, inputs); the output is (rows, outputs)."""
    outputs, inputs = weights.shape
    block = channel_block(outputs)
    x = te.placeholder(x_shape, "int8", "x")
    w = te.placeholder((outputs // block, inputs, block), "int8", "weights")
    k = te.reduce_axis((0, inputs), "k")
    sums = te.compute(
        (math.prod(x_shape) // inputs, outputs),
        lambda row, o: te.sum(
            x[unravel(row * inputs + k, x_shape)].astype("int32") * w[o // block, k, o % block].astype("int32"), axis=k
        ),
        name="dense",
        attrs={"channel_block": block},
    )
    zero_point = op.input.zero_point
    folded, bound = folded_bias(weights, bias, zero_point), sum_bound(weights, bias, zero_point)
    stage = OutputStage(folded, dense_multipliers(op), op.output.zero_point, op.clamp, bound)
    constants = stage.placeholders()
    func = te.create_prim_func([x, w, *constants, stage.of(sums, constants)])
    return Kernel("fully_connected", func, (blocked(weights, block), *stage.constants))
