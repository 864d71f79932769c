"""Single kernels as C: their text, their scratch, and what the host's compiler makes of them."""

from __future__ import annotations

import ctypes
import subprocess
from itertools import pairwise

import numpy as np
import pytest
from conftest import require_tool
from hypothesis import given, settings
from hypothesis import strategies as st
from lowered_models import add_kernel, conv_kernel, conv_oracle
from tvm import s_tir, te, tirx

from tvm_wvv.micro.bare_c import BareKernel, build
from tvm_wvv.micro.c_text import take
from tvm_wvv.micro.workspace import STACK_BYTES

CC = ["cc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fno-strict-aliasing", "-shared", "-fPIC"]


def compiled(kernel: BareKernel, folder, *, header: str = "") -> ctypes.CDLL:
    """The kernel under the name `k` in a shared library."""
    require_tool("cc")
    text = "#include <stdint.h>\n#include <stdbool.h>\n" + header + kernel.definition("k", restrict=True)
    (folder / "k.c").write_text(text)
    subprocess.run([*CC, folder / "k.c", "-o", folder / "k.so", "-lm"], check=True)
    return ctypes.CDLL(str(folder / "k.so"))


def call(library: ctypes.CDLL, kernel: BareKernel, *arrays: np.ndarray) -> None:
    """Run `k`; the scratch has exactly the stated bytes, followed by bytes that must survive."""
    scratch = np.full(kernel.workspace_bytes + 64, 0xA5, np.uint8)
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in arrays]
    library.k(*pointers, *([scratch.ctypes.data_as(ctypes.c_void_p)] if kernel.workspace_bytes else []))
    assert (scratch[kernel.workspace_bytes :] == 0xA5).all()


def backwards(before: te.Tensor, extent: int, stage: int) -> te.Tensor:
    """`extent` elements; each is made of the element of `before` that many places from its end, as far as they go."""
    length = int(before.shape[0])
    name = f"stage{stage}"
    return te.compute((extent,), lambda i: before[length - 1 - tirx.truncmod(i, length)] * 3 + stage, name=name)


def chain(size: int, stages: int) -> tirx.PrimFunc:
    """Each stage reads the whole one before it, backwards, so that two of them are alive at any time."""
    x = te.placeholder((size,), "int32", "x")
    value = x
    for stage in range(stages):
        value = backwards(value, size, stage)
    return te.create_prim_func([x, value])


def test_signature_and_qualifiers():
    kernel = build(conv_kernel(5, 7, 3, 2, strip=False))
    assert kernel.signature("name", restrict=True) == (
        "void name(const int8_t* restrict x, const int8_t* restrict weights, const int32_t* restrict bias, "
        "int8_t* restrict requantize, uint8_t* restrict workspace)"
    )
    assert build(add_kernel((2, 3))).signature("a", restrict=False) == (
        "void a(const int8_t* a, const int8_t* b, int8_t* add)"
    )


def test_text_is_free_of_tvm():
    kernel = build(conv_kernel(5, 7, 3, 2, strip=True))
    text = kernel.definition("k", restrict=True)
    assert "TVM" not in text and "tvm" not in text and "#" not in text
    assert kernel.headers == ()


def test_sums_start_outside_their_loops():
    body = build(conv_kernel(5, 7, 3, 2, strip=True)).body
    assert "== 0" not in body
    assert body.index("conv_ptr[0] = 0;") < body.index("conv_ptr[0] = (conv_ptr[0] + ")


@pytest.mark.parametrize("strip", [True, False])
@pytest.mark.parametrize("shape", [(5, 7, 3, 2), (1, 1, 1, 1), (3, 2, 5, 4)])
def test_convolution_equals_numpy(strip, shape, tmp_path):
    h, w, c, o = shape
    kernel = build(conv_kernel(h, w, c, o, strip=strip))
    rng = np.random.default_rng(h)
    x, weights = (rng.integers(-128, 128, s).astype(np.int8) for s in ((1, h, w, c), (o, 3, 3, c)))
    x.flat[0] = weights.flat[0] = -128
    bias = rng.integers(-(2**20), 2**20, o).astype(np.int32)
    out = np.empty((1, h, w, o), np.int8)
    call(compiled(kernel, tmp_path), kernel, x, weights, bias, out)
    np.testing.assert_array_equal(out, conv_oracle(x, weights, bias))


def test_buffers_that_never_meet_share_scratch(tmp_path):
    size, stages = 100, 6
    kernel = build(chain(size, stages))
    assert kernel.workspace_bytes == 2 * 400  # five buffers between six stages, two alive at a time
    x = np.arange(size, dtype=np.int32) - 50
    out, expected = np.empty(size, np.int32), x
    for stage in range(stages):
        expected = expected[::-1] * 3 + stage
    call(compiled(kernel, tmp_path), kernel, x, out)
    np.testing.assert_array_equal(out, expected)


@settings(max_examples=25, deadline=None)
@given(extents=st.lists(st.integers(65, 200), min_size=2, max_size=6))
def test_scratch_is_never_less_than_two_neighbours(extents):
    x = te.placeholder((8,), "int32", "x")
    value = x
    for number, extent in enumerate(extents):
        value = backwards(value, extent, number)
    needed = build(te.create_prim_func([x, backwards(value, 8, len(extents))])).workspace_bytes
    rounded = [16 * -(-extent * 4 // 16) for extent in extents]
    pairs = [a + b for a, b in pairwise(rounded)]
    assert max(pairs) <= needed <= sum(rounded)


@pytest.mark.parametrize(("size", "workspace"), [(STACK_BYTES // 4, 0), (STACK_BYTES // 4 + 1, 272)])
def test_small_buffers_stay_on_the_stack(size, workspace):
    assert build(chain(size, 2)).workspace_bytes == workspace


def test_buffers_inside_unrolled_loops_are_declared_once(tmp_path):
    schedule = s_tir.Schedule(conv_kernel(5, 7, 3, 2, strip=False))
    _, row, column, channel = schedule.get_loops(schedule.get_sblock("requantize"))
    schedule.compute_at(schedule.get_sblock("conv"), channel)
    schedule.compute_at(schedule.get_sblock("pad"), column)
    schedule.unroll(row)
    schedule.unroll(channel)
    kernel = build(schedule.mod["main"])
    rng = np.random.default_rng(3)
    x, weights = (rng.integers(-128, 128, s).astype(np.int8) for s in ((1, 5, 7, 3), (2, 3, 3, 3)))
    bias, out = np.array([7, -7], np.int32), np.empty((1, 5, 7, 2), np.int8)
    call(compiled(kernel, tmp_path), kernel, x, weights, bias, out)
    np.testing.assert_array_equal(out, conv_oracle(x, weights, bias))


def test_a_parameter_that_is_not_needed_does_not_warn(tmp_path):
    x, shift = te.placeholder((4,), "int8", "x"), te.placeholder((4,), "int32", "shift")
    kernel = build(te.create_prim_func([x, shift, te.compute((4,), lambda i: x[3 - i], name="out")]))
    assert "  (void)shift;\n" in kernel.body
    out = np.empty(4, np.int8)
    call(compiled(kernel, tmp_path), kernel, np.array([-128, 1, 2, 127], np.int8), np.zeros(4, np.int32), out)
    assert out.tolist() == [127, 2, 1, -128]


def test_floating_point_kernels_compile(tmp_path):
    x = te.placeholder((5,), "float32", "x")
    kernel = build(te.create_prim_func([x, te.compute((5,), lambda i: te.exp(x[i]) + 0.5, name="out")]))
    assert kernel.headers == ("<math.h>",)
    values, out = np.linspace(-2, 2, 5, dtype=np.float32), np.empty(5, np.float32)
    call(compiled(kernel, tmp_path, header="#include <math.h>\n"), kernel, values, out)
    # Another exp than NumPy's: equal but for the last bits.
    np.testing.assert_allclose(out, np.exp(values) + np.float32(0.5), rtol=1e-6)


def extern_kernel() -> tirx.PrimFunc:
    x = te.placeholder((6,), "int8", "x")
    buffers = [tirx.decl_buffer(x.shape, "int8", name, elem_offset=0) for name in ("x", "out")]
    out = te.extern(
        x.shape,
        [x],
        lambda ins, outs: tirx.call_extern("int32", "wvv_twice", ins[0].access_ptr("r"), outs[0].access_ptr("w"), 6),
        dtype="int8",
        name="out",
        in_buffers=buffers[:1],
        out_buffers=buffers[1:],
    )
    return te.create_prim_func([x, out])


def test_microkernels_are_called_through_the_header_that_the_kernel_names(tmp_path):
    kernel = build(extern_kernel().with_attr("wvv.headers", ["wvv_twice.h"]))
    assert kernel.headers == ('"wvv_twice.h"',)
    header = """static inline int32_t wvv_twice(const int8_t* from, int8_t* to, int32_t count) {
      for (int32_t i = 0; i < count; ++i) { to[i] = (int8_t)(2 * from[i]); }
      return 0;
    }
    """
    values, out = np.array([-64, -1, 0, 1, 5, 63], np.int8), np.empty(6, np.int8)
    call(compiled(kernel, tmp_path, header=header), kernel, values, out)
    np.testing.assert_array_equal(out, values * 2)


def test_a_microkernel_without_a_header_is_our_mistake():
    with pytest.raises(AssertionError, match=r"calls \['wvv_twice'\] but `wvv\.headers` names no header"):
        build(extern_kernel())


def test_c_text_in_another_form_is_noticed():
    with pytest.raises(AssertionError, match="no definition in the known form"):
        take("int main(void) { return 0; }\n")
