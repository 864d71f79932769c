"""Work shared out among threads on x86, and images in batches: the same bytes as one thread and one image give."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import wvv
from conftest import require_data
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import SingleOp, conv_models, dense_models, seeds
from tvm import relax
from winograd_cases import WinogradCase, winograd_cases

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends import tflite
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.frontends.tflite_batch import with_batch
from tvm_wvv.frontends.tflite_write import Operator, Tensor, write_model
from tvm_wvv.kernels import x86_add, x86_conv, x86_winograd
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.kernels.winograd import exact_output_stage
from tvm_wvv.kernels.x86_output import x86_output
from tvm_wvv.kernels.x86_vectors import Vectors
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.micro.one_function import one_function
from tvm_wvv.micro.runners import OnHost
from tvm_wvv.models import packaged
from tvm_wvv.passes.lowered import Lowered
from tvm_wvv.passes.options import Options
from tvm_wvv.passes.pipeline import lower
from tvm_wvv.passes.x86_kernels import x86_kernel
from tvm_wvv.quant import operators as ops
from tvm_wvv.quant.fixed_point import to_float32
from tvm_wvv.quant.parameters import conv_multipliers
from tvm_wvv.reference.apply import apply
from tvm_wvv.reference.golden import Golden
from tvm_wvv.reference.winograd import transform_weights, winograd_conv2d
from tvm_wvv.schedules import x86
from tvm_wvv.transforms.catalog import F2, F4

QUICK = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(autouse=True)
def _everything_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for kernels in (x86_conv, x86_winograd, x86_add):
        monkeypatch.setattr(kernels, "WORTH_SHARING", 0)


def vectors(threads: int) -> Vectors:
    found = x86.vectors_of(x86.resolve("native"))
    if found is None:
        pytest.skip("this machine is no x86")
    return replace(found, threads=threads)


def network(kernel: Kernel, threads: int) -> InProcess:
    """One kernel as a network that can be run."""
    return InProcess(lowered(kernel, threads))


def lowered(kernel: Kernel, threads: int) -> Lowered:
    """One kernel as a network."""
    *inputs, y = [([int(size) for size in p.ty.shape], str(p.ty.dtype)) for p in kernel.func.params]
    inputs = inputs[: len(inputs) - len(kernel.constants)]
    variables = [relax.Var(f"x{n}", relax.TensorType(*one)) for n, one in enumerate(inputs)]
    constants = [relax.const(array, str(array.dtype)) for array in kernel.constants]
    builder = relax.BlockBuilder()
    with builder.function("main", variables):
        with builder.dataflow():
            function = builder.add_func(kernel.func, "kernel")
            call = builder.emit(relax.call_tir(function, [*variables, *constants], out_ty=relax.TensorType(*y)))
            result = builder.emit_output(call)
        builder.emit_func_output(result)
    module = builder.get()
    attributes = {"layers": {call.name: "layer"}, "mcpu": x86.resolve("native"), "threads": threads}
    module["main"] = module["main"].with_attrs(attributes)
    infos = [TensorInfo(f"x{n}", tuple(shape), dtype, None) for n, (shape, dtype) in enumerate([*inputs, y])]
    return Lowered("one", module, (), tuple(infos[:-1]), tuple(infos[-1:]), "")


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("models", [conv_models(), dense_models()], ids=["conv", "dense"])
@QUICK
@given(data=st.data(), seed=seeds)
def test_random_layers(threads: int, models: st.SearchStrategy[SingleOp], data: st.DataObject, seed: int) -> None:
    case = data.draw(models)
    kernel = x86_kernel(vectors(threads), [case.op], [list(case.inputs)], [case.constants])
    if kernel is None:
        return
    compiled = network(kernel, threads)
    for one in zip(*case.samples(seed), strict=True):
        np.testing.assert_array_equal(compiled.run(tuple(one))[0], case.oracle(one))


# Rows for threads, columns for threads, more threads than rows, images for threads, and a stride beyond the kernel.
CONVOLUTIONS = {
    "rows": ((1, 11, 19, 4), (16, 3, 3, 4), 1, (1, 1, 1, 1)),
    "columns": ((1, 5, 3, 8), (200, 3, 3, 8), 1, (1, 1, 1, 1)),
    "few rows": ((1, 2, 9, 3), (20, 1, 1, 3), 1, (0, 0, 0, 0)),
    "images": ((3, 7, 5, 5), (33, 3, 3, 5), 2, (0, 1, 1, 0)),
    "between": ((1, 17, 10, 16), (16, 1, 1, 16), 2, (0, 0, 0, 0)),
}


@pytest.mark.parametrize("threads", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str, threads: int) -> None:
    x_shape, weight_shape, stride, padding = CONVOLUTIONS[name]
    scales = tuple(to_float32(0.0004 * (1 + number % 5)) for number in range(weight_shape[0]))
    window = ops.Window((stride, stride), (1, 1), padding)
    op = ops.Conv2d(ops.Affine(to_float32(0.02), -7), ops.Affine(to_float32(0.05), 3), scales, window, (-128, 127))
    rng = np.random.default_rng(threads)
    x, weights = (rng.integers(-128, 128, shape).astype(np.int8) for shape in (x_shape, weight_shape))
    x.flat[::5] = -128
    bias = rng.integers(-9999, 9999, weight_shape[0]).astype(np.int32)
    kernel = x86_kernel(vectors(threads), [op], [[x_shape]], [(weights, bias)])
    assert kernel is not None
    np.testing.assert_array_equal(network(kernel, threads).run((x,))[0], apply(op, [x], (weights, bias)))


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("size", [(5, 3), (13, 22)], ids=["columns of U", "groups of tiles"])
@pytest.mark.parametrize("algorithm", [F2, F4], ids=str)
@settings(QUICK, max_examples=2)
@given(data=st.data())
def test_exact_winograd(threads: int, size: tuple[int, int], algorithm: object, data: st.DataObject) -> None:
    case: WinogradCase = data.draw(winograd_cases(algorithm, channels=1))  # type: ignore[arg-type]
    lanes = vectors(1).lanes
    outputs = lanes * (10 if size[0] < 9 else 1)
    rng = np.random.default_rng(threads)
    x = rng.integers(-128, 128, (1, *size, lanes)).astype(np.int8)
    x.flat[::7] = -128
    weights = rng.integers(-128, 128, (outputs, 3, 3, lanes)).astype(np.int8)
    bias = rng.integers(-9999, 9999, outputs).astype(np.int32)
    wide = replace(case.op.output, scale=to_float32(1.0))
    scales = tuple(to_float32(0.02 + 0.001 * (number % 3)) for number in range(outputs))
    op = replace(case.op, weight_scales=scales, output=wide)
    u = transform_weights(weights, case.algorithm)
    bound = exact_output_stage(op, case.algorithm, u, bias).bound
    output = x86_output(vectors(1), bias, bound, op.output.zero_point, conv_multipliers(op), op.clamp)
    assert output is not None
    zero_point = op.input.zero_point
    kernel = x86_winograd.winograd_conv2d(vectors(threads), case.algorithm, op.window, zero_point, x.shape, u, output)
    expected = winograd_conv2d(x, weights, bias, op, case.algorithm)
    np.testing.assert_array_equal(network(kernel, threads).run((x,))[0], expected)


@pytest.mark.parametrize("threads", [2, 3])
def test_additions(threads: int) -> None:
    lhs, rhs, output = (ops.Affine(to_float32(scale), zero) for scale, zero in ((0.04, -128), (0.1, 4), (0.05, -9)))
    op = ops.Add(lhs, rhs, output, (-120, 127))
    left, right = np.random.default_rng(1).integers(-128, 128, (2, 3, 7, 16)).astype(np.int8)
    kernel = x86_add.add(vectors(threads), op, left.shape, right.shape)
    assert kernel is not None
    np.testing.assert_array_equal(network(kernel, threads).run((left, right))[0], apply(op, [left, right]))


@pytest.mark.parametrize("threads", [2, 3])
def test_a_network_gives_the_same_bytes_every_time(threads: int) -> None:
    path = require_data("models/pretrainedResnet_quant.tflite")
    model = tflite.load(path)
    x = np.random.default_rng(3).integers(-128, 128, (4, *model.inputs[0].shape)).astype(np.int8)
    compiled = InProcess(lower(model, Options(mcpu="native", threads=threads), "x86"))
    expected = Golden(path.read_bytes()).run(x)[model.outputs[0].name]
    for _ in range(12):
        np.testing.assert_array_equal(np.stack([compiled.run((one,))[0] for one in x]), expected)


def test_programs_of_several_threads_may_call_it() -> None:
    path = packaged("digits")
    assert path is not None
    model = tflite.load(path)
    x = np.random.default_rng(5).integers(-128, 128, (2, *model.inputs[0].shape)).astype(np.int8)
    expected = Golden(path.read_bytes()).run(x)[model.outputs[0].name]
    networks = [InProcess(lower(model, Options(mcpu="native", threads=2), "x86")) for _ in x]
    found: dict[int, list[np.ndarray]] = {}

    def work(number: int) -> None:
        found[number] = [networks[number].run((x[number],))[0] for _ in range(10)]

    workers = [threading.Thread(target=work, args=(number,)) for number in range(len(x))]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    for number, several in found.items():
        for outputs in several:
            np.testing.assert_array_equal(outputs, expected[number])


def test_one_thread_and_small_layers_call_no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    lhs, rhs, output = (ops.Affine(to_float32(scale), 5) for scale in (0.04, 0.1, 0.05))
    op = ops.Add(lhs, rhs, output, (-120, 127))

    def text(threads: int) -> str:
        kernel = x86_add.add(vectors(threads), op, (1, 8, 16), (1, 8, 16))
        assert kernel is not None
        target = x86.llvm_target(x86.resolve("native"))
        return str(one_function(lowered(kernel, threads), target).module.inspect_source("ll"))

    assert "__tvm_parallel_lambda" in text(2)
    assert "__tvm_parallel_lambda" not in text(1)
    monkeypatch.setattr(x86_add, "WORTH_SHARING", 1 << 40)
    assert "__tvm_parallel_lambda" not in text(2)


@pytest.mark.parametrize(
    ("name", "threads"), [("digits", 1), ("digits", 2), ("pretrainedResnet_quant", 2), ("ad01_int8", 1)]
)
def test_images_together_give_the_bytes_of_single_ones(name: str, threads: int) -> None:
    path = packaged(name) or require_data(f"models/{name}.tflite")
    data, model = path.read_bytes(), tflite.load(path)
    x = np.random.default_rng(6).integers(-128, 128, (5, *model.inputs[0].shape)).astype(np.int8)
    together = tflite.batched(data, 3, model.name, str(path))
    assert together.inputs[0].shape == (3, *model.inputs[0].shape[1:])
    compiled = InProcess(lower(together, Options(mcpu="native", threads=threads, batch=3), "x86"))
    # The second call has but two images.
    outputs = OnHost(compiled, model.inputs, model.outputs, 3).run((x,))[0]
    np.testing.assert_array_equal(outputs, Golden(data).run(x)[model.outputs[0].name])


def test_a_network_without_an_axis_of_images_is_refused() -> None:
    tensors = [Tensor(name, (6, 4), "int8", scales=(0.5,), zero_points=(0,)) for name in ("left", "right", "sum")]
    source = write_model(tensors, [Operator("ADD", ("left", "right"), ("sum",))], ["left", "right"], ["sum"])
    with pytest.raises(WvvError, match=r"m.tflite: tensor 'left' has shape \[6, 4\], and --batch lengthens"):
        with_batch(source, 2, "m.tflite")


def test_the_command_takes_threads_and_batches(tmp_path: Path) -> None:
    x = np.random.default_rng(7).integers(-128, 128, (5, 16, 16, 1)).astype(np.int8)
    np.save(tmp_path / "x.npy", x)
    arguments = ("run", "digits", "--input", tmp_path / "x.npy", "--json")
    plain = wvv(*arguments, "--board", "x86").value
    assert wvv(*arguments, "--board", "x86", "--threads", "2", "--batch", "3").value == plain
    for option in ("--threads", "--batch"):
        line = wvv(*arguments, "--board", "mps2-an386", option, "2").line
        assert f"{option} 2: goes with --board x86; mps2-an386 has one core" in line
