"""Which layers become calls of a library, and what they look like in TensorIR and in C; no library is needed for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tvm import tirx

from tvm_wvv.frontends import tflite
from tvm_wvv.kernels.cmsis_nn import FUNCTIONS, SHIM
from tvm_wvv.kernels.library_call import LibraryCall, library_kernel
from tvm_wvv.micro.bare_c import build
from tvm_wvv.micro.emit_c import emit
from tvm_wvv.models import packaged
from tvm_wvv.passes.lowered import Lowered
from tvm_wvv.passes.options import Options
from tvm_wvv.passes.pipeline import lower


class Stand:
    """A library in which a function is missing; each call wants one more word of scratch than the one before."""

    name = "CMSIS-NN 0.1"
    functions = frozenset(name for names in FUNCTIONS.values() for name in names) - {"arm_softmax_s8"}

    def __init__(self) -> None:
        self.asked: list[LibraryCall] = []

    def scratch_bytes(self, calls: Sequence[LibraryCall]) -> Sequence[int]:
        assert not self.asked, "all calls come in one question"
        self.asked = list(calls)
        return [1000 + 4 * number for number in range(len(calls))]


def digits(library: Stand, options: Options) -> Lowered:
    path = packaged("digits")
    assert path is not None
    return lower(tflite.load(path), options, "cortex_m", library)


def test_direct_layers_are_called_and_winograd_is_left_alone() -> None:
    library = Stand()
    lowered = digits(library, Options(winograd="off", layers=(("block1/conv1", "f2"),)))
    backends = {layer.name: (layer.backend, layer.backend_reason) for layer in lowered.layers}
    assert backends.pop("block1/conv1") == ("own", None)
    assert backends.pop("pool/vector") == ("own", None)
    assert backends.pop("probabilities") == ("own", "this copy of CMSIS-NN has no arm_softmax_s8")
    assert set(backends.values()) == {("CMSIS-NN 0.1", None)}
    assert len(library.asked) == len(backends)
    assert all(layer.algorithm == "direct" for layer in lowered.layers if layer.name != "block1/conv1")


def test_the_c_calls_the_shim_with_its_scratch_and_returns_its_status() -> None:
    library = Stand()
    files = emit(digits(library, Options(winograd="off")), {"wvv_cmsis_nn.h": "/* support */"}).files
    kernels, run = files["digits_kernels.c"], files["tvmgen_digits.c"]
    assert kernels.count("wvv_cmsis_nn_conv2d(") == kernels.count("cmsis_nn_conv2d_") > 0
    sizes = [1000 + 4 * number for number in range(len(library.asked))]
    assert all(f", {size});" in kernels for size in sizes)
    assert '#include "wvv_cmsis_nn.h"' in kernels
    assert "return wvv_cmsis_nn_take_status();" in run
    assert files["wvv_cmsis_nn.h"] == "/* support */"


def test_filters_keep_their_order_and_channels_their_multipliers() -> None:
    library = Stand()
    digits(library, Options(winograd="off"))
    call = next(one for one in library.asked if one.output == (1, 8, 8, 32) and one.parameters[7:9] == (3, 3))
    constants = dict(call.constants)
    assert constants["weights"].shape == (32, 3, 3, call.parameters[3])
    assert all(constants[name].shape == (32,) for name in ("bias", "mantissas", "shifts"))
    assert (constants["mantissas"] >= 1 << 30).all()
    # Image and output, window, strides, padding of the top and the left; then clamp, dilation, offsets, multiplier.
    assert call.parameters[:3] == (1, *call.inputs[0][1:3])
    assert len(call.parameters) == 20


def test_a_call_without_scratch_still_gives_a_pointer() -> None:
    call = LibraryCall("max_pool", ((1, 4, 4, 2),), (1, 2, 2, 2), (1, 2, 3))
    kernel = library_kernel(call, SHIM, 0)
    np.testing.assert_array_equal(kernel.constants[-1], [1, 2, 3])
    bare = build(kernel.func)
    assert bare.workspace_bytes == 0
    assert "wvv_cmsis_nn_max_pool((&(x[0])), (&(parameters[0])), (&(y[0])), (&(scratch_ptr[0])), 4);" in bare.body
    assert isinstance(kernel.func, tirx.PrimFunc)


def test_the_workspace_is_what_the_library_asked_for() -> None:
    call = LibraryCall("add", ((1, 4, 4, 2), (1, 4, 4, 2)), (1, 4, 4, 2), (1, 2, 3))
    bare = build(library_kernel(call, SHIM, 1001).func)
    # Whole words, and the arena's steps of 16 bytes.
    assert bare.workspace_bytes == 1008
    assert ", 1004);" in bare.body
    assert "lhs" in bare.body
    assert "rhs" in bare.body
