"""CMSIS-NN on each kind of core: the oracle's bytes, scratch that suffices to the byte, and reasons for what is not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from conftest import require_library, require_tool
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from library_calls import Fed, program
from strategies import SingleOp, conv_models, dense_models, depthwise_models
from strategies_elementwise import binary_models, concat_models, pad_models, pool_models, softmax_models

from tvm_wvv.errors import WvvError
from tvm_wvv.kernels.cmsis_nn import FUNCTIONS, library_call
from tvm_wvv.kernels.library_call import LibraryCall
from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.cmsis_nn import CmsisNn
from tvm_wvv.micro.cmsis_nn_copy import find_copy
from tvm_wvv.micro.exchange import FirmwareRun
from tvm_wvv.micro.qemu import run_firmware
from tvm_wvv.micro.toolchain import THIRD_PARTY, build_firmware, compile_commands
from tvm_wvv.quant import operators as ops
from tvm_wvv.resources import deploy_dir

# Without DSP instructions, with them, and with vectors.
CORES = ("mps2-an385", "mps2-an386", "mps3-an547")
CASES = 30
models = st.one_of(
    conv_models(grouped=True), depthwise_models(), dense_models(), binary_models(), pool_models(), softmax_models(),
    pad_models(), concat_models(),
)  # fmt: skip


@pytest.fixture
def library(request: pytest.FixtureRequest) -> CmsisNn:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    require_library()
    return CmsisNn(find_copy(None), load_board(request.param))


def call_of(case: SingleOp, library: CmsisNn) -> LibraryCall | str:
    """The call for a random single-operator model."""
    elementwise = isinstance(case.op, ops.Add | ops.Mul)
    shapes = [*case.inputs, *(array.shape for array in case.constants)] if elementwise else case.inputs
    output = case.oracle([array[0] for array in case.samples(0)]).shape
    return library_call(case.op, shapes, output, () if elementwise else case.constants, library.functions)


def check(cases: list[SingleOp], library: CmsisNn, folder: Path, seed: int) -> set[str]:
    """All calls that can be made of `cases`, in one firmware; gives the operators that were called."""
    made = [(case, call) for case in cases if isinstance(call := call_of(case, library), LibraryCall)]
    sizes = library.scratch_bytes([call for _, call in made])
    fed, wanted = [], []
    for number, ((case, call), size) in enumerate(zip(made, sizes, strict=True)):
        inputs = [array[number % len(array)] for array in case.samples(seed)]
        constants = case.constants if isinstance(case.op, ops.Add | ops.Mul) else ()
        fed.append(Fed(call, (*inputs, *constants), size))
        wanted.append(case.oracle(inputs))
    called = {call.operator for _, call in made}
    files = {**library.files(called), "wvv_model.c": program(fed)}
    elf = build_firmware(files, library.board, folder)
    length = sum(array.size for array in wanted)
    found = np.frombuffer(run_firmware(library.board, elf, b"\0", length + len(fed)).outputs, np.int8)
    assert found[length:].all(), f"scratch overrun by {[made[i][1] for i in np.flatnonzero(found[length:] == 0)]}"
    starts = np.cumsum([0, *(array.size for array in wanted)])
    for (case, _), start, array in zip(made, starts, wanted, strict=False):
        got = found[start : start + array.size].reshape(array.shape)
        np.testing.assert_array_equal(got, array, err_msg=f"{case.op} on {case.inputs}")
    return called


@pytest.mark.parametrize("library", CORES, indirect=True)
@settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
@given(cases=st.lists(models, min_size=CASES, max_size=CASES), seed=st.integers(0, 2**32 - 1))
def test_calls_give_the_oracles_bytes_in_scratch_of_the_very_size(
    library: CmsisNn, tmp_path_factory: pytest.TempPathFactory, cases: list[SingleOp], seed: int
) -> None:
    # Hypothesis begins with the simplest list of all, which is the same case again and again.
    if len({case.op for case in cases}) > CASES / 2:
        called = check(cases, library, tmp_path_factory.mktemp("calls"), seed)
        assert len(called) >= 3, "the drawn cases hardly call the library"


@pytest.mark.parametrize("library", ["mps2-an386"], indirect=True)
def test_scratch_that_is_too_small_is_a_failure_of_the_run(library: CmsisNn, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    weights, x = (rng.integers(-128, 128, shape, dtype=np.int8) for shape in ((6, 3, 3, 4), (1, 7, 5, 4)))
    op = ops.Conv2d(ops.Affine(0.1, 3), ops.Affine(1.5, -7), (0.02,), ops.Window(padding=(1, 1, 1, 1)))
    call = library_call(op, [x.shape], (1, 7, 5, 6), (weights,), library.functions)
    assert isinstance(call, LibraryCall)
    (size,) = library.scratch_bytes([call])
    # im2col of two columns in 16 bits: 2 * 3 * 3 * 4 * 2 bytes at least.
    assert size >= 144
    files = {**library.files(["conv2d"]), "wvv_model.c": program([Fed(call, (x,), size - 4)])}
    with pytest.raises(WvvError, match="run function reported a failure"):
        run_firmware(library.board, build_firmware(files, library.board, tmp_path), b"\0", 7 * 5 * 6 + 1)


def test_a_negative_size_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = np.array([16, -1], "<i4").tobytes()
    monkeypatch.setattr("tvm_wvv.micro.cmsis_nn.firmware", lambda *_args, **_kinds: Path("firmware.elf"))
    monkeypatch.setattr("tvm_wvv.micro.cmsis_nn.run_firmware", lambda *_args: FirmwareRun(answer, None, None, None))
    require_library()
    library = CmsisNn(find_copy(None), load_board("mps2-an386"))
    calls = [LibraryCall(name, ((1, 4, 4, 2),), (1, 4, 4, 2), (1,)) for name in ("max_pool", "average_pool")]
    with pytest.raises(WvvError, match=r"cannot size average_pool of \(1, 4, 4, 2\); take --direct own"):
        library.scratch_bytes(calls)


def test_files_are_the_sources_of_the_operators_with_headers_and_licence() -> None:
    require_library()
    library = CmsisNn(find_copy(None), load_board("mps2-an386"))
    files = library.files(["max_pool"])
    sources = sorted(name for name in files if name.startswith(f"{THIRD_PARTY}/") and name.endswith(".c"))
    assert [name.rpartition("/")[2] for name in sources] == ["arm_max_pool_s8.c"]
    assert {"wvv_cmsis_nn_max_pool.c", "wvv_cmsis_nn_status.c", "wvv_cmsis_nn.h"} <= set(files)
    assert any("Apache License" in text for name, text in files.items() if "LICENSE" in name)
    assert library.copy.version in files["wvv_cmsis_nn_version.h"]


@pytest.mark.parametrize(
    ("op", "shapes", "constants", "reason"),
    [
        (ops.Relu(ops.Affine(1, 0), ops.Affine(1, 0), (0, 127)), [(1, 4)], (), "CMSIS-NN is called for conv2d"),
        (ops.MaxPool((2, 2), ops.Window()), [(2, 4, 4, 1)], (), "batch of 2, need 1"),
        (ops.MaxPool((2, 2), ops.Window(dilation=(2, 1))), [(1, 4, 4, 1)], (), r"dilation is \(2, 1\), need \(1, 1\)"),
        (
            ops.Conv2d(ops.Affine(1, 0), ops.Affine(1, 0), (1.0,), ops.Window()),
            [(1, 4, 4, 6)], (np.zeros((4, 1, 1, 3), np.int8),), "2 groups, CMSIS-NN's convolution has 1",
        ),
        (
            ops.FullyConnected(ops.Affine(1, 0), ops.Affine(1, 0), (1.0, 2.0)),
            [(1, 6)], (np.zeros((2, 6), np.int8),), "weights have a scale for each output",
        ),
        (
            ops.Add(ops.Affine(1, 0), ops.Affine(1, 0), ops.Affine(1, 0)),
            [(1, 4, 4, 2), (2,)], (), r"operands of \(1, 4, 4, 2\) and \(2,\), need one shape",
        ),
        (ops.Pad(((1, 0),) * 5, 3), [(1, 1, 4, 4, 2)], (), "5 axes, arm_pad_s8 has 4"),
        (ops.Concat(3), [(1, 4, 4, 2)] * 3, (), "3 operands, the call takes 2"),
        (ops.Concat(3, (0, 127)), [(1, 4, 4, 1)] * 2, (), "a fused activation"),
        (ops.Concat(0), [(1, 4, 4, 9000)] * 2, (), "288000 bytes or rows, arm_concatenation_s8_x counts to 65535"),
    ],
    ids=[
        "operator", "batch", "dilation", "groups", "scales", "broadcast", "axes", "operands", "activation", "length",
    ],
)  # fmt: skip
def test_what_cannot_be_called_has_a_reason(op, shapes, constants, reason) -> None:
    known = {name for names in FUNCTIONS.values() for name in names}
    said = library_call(op, shapes, (1, 4, 4, 2), constants, known)
    assert isinstance(said, str)
    assert re.search(reason, said)


def test_a_function_that_the_copy_lacks_is_named() -> None:
    op = ops.MaxPool((2, 2), ops.Window())
    assert library_call(op, [(1, 4, 4, 1)], (1, 3, 3, 1), (), ()) == "this copy of CMSIS-NN has no arm_max_pool_s8"


def test_every_operator_of_the_table_has_its_shim() -> None:
    folder = deploy_dir() / "cmsis_nn"
    assert {path.stem.removeprefix("wvv_cmsis_nn_") for path in folder.glob("*.c")} == {*FUNCTIONS, "status"}
    for operator, functions in FUNCTIONS.items():
        text = (folder / f"wvv_cmsis_nn_{operator}.c").read_text(encoding="utf-8")
        assert all(name in text for name in functions)


@pytest.mark.parametrize("name", ["../x.c", "/x.c", "folder/x.c", f"{THIRD_PARTY}/../../x.c"])
def test_a_source_outside_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WvvError, match="sources lie in one folder"):
        build_firmware({name: ""}, load_board("mps2-an386"), tmp_path / "build")
    assert not list(tmp_path.rglob("x.c"))


def test_the_librarys_sources_are_compiled_as_their_makers_do(tmp_path: Path) -> None:
    include = tmp_path / "src" / THIRD_PARTY / "cmsis_nn" / "Include"
    include.mkdir(parents=True)
    theirs, ours = include.parent / "Source" / "a.c", tmp_path / "src" / "a.c"
    foreign, own = compile_commands(load_board("mps3-an547"), [theirs, ours], tmp_path)
    assert {"-Ofast", "-w", f"-isystem{include}"} <= set(foreign)
    assert {"-O3", "-Werror", f"-isystem{include}"} <= set(own)
    assert foreign[-1] != own[-1]
