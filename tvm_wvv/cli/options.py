"""Arguments and options that several commands share, and the compile options as one value."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tvm_wvv.errors import WvvError

if TYPE_CHECKING:
    from tvm_wvv.micro.link import Link
    from tvm_wvv.passes.options import Options, RecipeFile, TunedFile

DirectKernels = Literal["own", "cmsis-nn"]

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A .tflite file, or a packaged network: digits, resnet20.", show_default=False
    ),
]
ModelOrArchive = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A .tflite file, a packaged network (digits, resnet20), or an OUT.tar of wvv compile.",
        show_default=False,
    ),
]
BoardName = Annotated[
    str, typer.Option("--board", metavar="BOARD", help="Target; see: wvv boards.", show_default=False)
]
BoardOrHost = Annotated[
    str,
    typer.Option(
        "--board", metavar="BOARD|x86", help="Target, or x86 for this computer; see: wvv boards.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]

Winograd = Annotated[
    str,
    typer.Option(
        metavar="auto|off|SPEC",
        help="Form of 3x3 convolutions: auto follows the recipe, else takes what is exact and saves instructions; off "
        "keeps all direct; SPEC is an algorithm (f2, f4, f4c, f4h, f6, f6c, f2x1, f4x1), perhaps with its arithmetic "
        "(:exact, :int16, :int8), such as f4c:int8. A bare name means exact where the algorithm has it, else int16.",
    ),
]
Layer = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=SPEC",
        help="Form of one layer, before --winograd; NAME as wvv explain shows it. May be repeated.",
        show_default=False,
    ),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Algorithms and stage scales by layer, as wvv calibrate writes them; --layer goes before it.",
        show_default=False,
    ),
]
Codegen = Annotated[str, typer.Option(metavar="c|llvm", help="Code generator; this version has c.")]
Direct = Annotated[
    str,
    typer.Option(
        metavar="own|cmsis-nn",
        help="Whose kernels compute what Winograd does not; cmsis-nn where the library has a function, else ours.",
    ),
]
CmsisNnFolder = Annotated[
    str | None,
    typer.Option(
        "--cmsis-nn",
        metavar="DIR",
        help="Checkout of CMSIS-NN; else CMSIS_NN_PATH, else the copy in the package bakenn.",
        show_default=False,
    ),
]
Mcpu = Annotated[
    str,
    typer.Option(
        metavar="native|CPU",
        help="With --board x86: the CPU that kernels are made for, by LLVM's name, such as x86-64-v3 or znver4; this "
        "one where it is left out.",
        show_default=False,
    ),
]
Threads = Annotated[
    int,
    typer.Option(metavar="N", min=1, max=256, help="With --board x86: cores that share the work of one inference."),
]
Batch = Annotated[
    int,
    typer.Option(metavar="N", min=1, max=4096, help="With --board x86: images that go through the network together."),
]
FlashLimit = Annotated[
    str | None,
    typer.Option(
        "--flash-limit",
        metavar="BYTES",
        help="Most that the weights may take, such as 300000 or 256K: auto then takes the fastest forms that fit. "
        "Without it, the board's flash is the limit.",
        show_default=False,
    ),
]
TunedBy = Annotated[
    str | None,
    typer.Option(
        "--tuned",
        metavar="FILE|off",
        help="Database of wvv tune to take the fastest ways from; else the one that comes with wvv; off for neither.",
        show_default=False,
    ),
]
Transport = Annotated[
    str | None,
    typer.Option(
        metavar="semihosting|serial",
        help="How firmware in QEMU is reached: files through the debugger, the default, or its UART.",
        show_default=False,
    ),
]
PortName = Annotated[
    str | None,
    typer.Option(
        "--port",
        metavar="PORT",
        help="Serial port of a board that holds the firmware already: /dev/ttyACM0, COM5, socket://host:port.",
        show_default=False,
    ),
]
Baud = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Baud rate of --port; else that of the board.", show_default=False),
]
_DIRECT: tuple[DirectKernels, ...] = ("own", "cmsis-nn")


def compile_options(
    winograd: str,
    layer: list[str] | None,
    recipe: str | None,
    codegen: str,
    direct: str,
    cmsis_nn: str | None = None,
    flash_limit: str | None = None,
    tuned: str | None = None,
) -> Options:
    """What the user asks of the compiler; refuses what this version does not have and what it cannot read."""
    # `passes` imports TVM, which a help text must not wait for.
    from tvm_wvv.passes.options import Options
    from tvm_wvv.passes.spec import parse_layer

    _only("--codegen", codegen, "c", ("c", "llvm"))
    kernels = next((one for one in _DIRECT if one == direct), None)
    if kernels is None:
        raise WvvError(f"--direct {direct}: {direct!r} is unknown; supported: {', '.join(_DIRECT)}")
    layers = tuple(parse_layer(text) for text in layer or ())
    file = None if recipe is None else _recipe_file(recipe)
    return Options(
        winograd=winograd,
        layers=layers,
        recipe=file,
        direct=kernels,
        cmsis_nn=cmsis_nn,
        flash_bytes=None if flash_limit is None else _bytes(flash_limit, winograd),
        tuned=None if tuned is None else _tuned_file(tuned),
    )


def _bytes(text: str, winograd: str) -> int:
    """A size in bytes, KiB (K) or MiB (M)."""
    match = re.fullmatch(r"(\d+)([KkMm]?)", text)
    if match is None:
        raise WvvError(f"--flash-limit {text}: not a size; give bytes, or KiB as in 256K")
    if winograd != "auto":
        raise WvvError(f"--flash-limit {text}: only --winograd auto chooses by size; {winograd!r} is one form for all")
    return int(match[1]) * {"": 1, "k": 1024, "m": 1024 * 1024}[match[2].lower()]


def link_options(transport: str | None, port: str | None, baud: int | None) -> Link:
    """How the user wants a board to be reached."""
    from tvm_wvv.micro.link import Link

    if transport not in (None, "semihosting", "serial"):
        raise WvvError(f"--transport {transport}: {transport!r} is unknown; supported: semihosting, serial")
    if port is None and baud is not None:
        raise WvvError(f"--baud {baud}: is for --port; QEMU's line has no speed")
    if port is not None and transport == "semihosting":
        raise WvvError(f"--port {port}: is a serial line; leave out --transport semihosting")
    return Link("serial" if transport == "serial" or port is not None else "semihosting", port, baud)


def for_cpu(options: Options, board: str, mcpu: str, threads: int = 1, batch: int = 1) -> Options:
    """The options with a CPU that the user named, and how to use it; refuses them for boards that have theirs."""
    from tvm_wvv.micro.board import X86

    if mcpu and board != X86:
        raise WvvError(f"--mcpu {mcpu}: goes with --board {X86}; {board} has its own CPU")
    for name, count in (("threads", threads), ("batch", batch)):
        if count > 1 and board != X86:
            raise WvvError(f"--{name} {count}: goes with --board {X86}; {board} has one core and takes one image")
    return replace(options, mcpu=mcpu, threads=threads, batch=batch)


def _recipe_file(name: str) -> RecipeFile:
    """Read here and checked in itself; whether it is for the model at hand shows where that is known."""
    from tvm_wvv.passes.options import RecipeFile
    from tvm_wvv.quant.recipe import parse_recipe, read_recipe

    text = read_recipe(Path(name))
    parse_recipe(text, name)
    return RecipeFile(name, text)


def _tuned_file(name: str) -> TunedFile:
    """Read here and checked in itself; records of other boards and layers do no harm."""
    from tvm_wvv.passes.options import TunedFile
    from tvm_wvv.passes.tuning_records import parse, read

    if name == "off":
        return TunedFile("--tuned off", "")
    text = read(Path(name))
    parse(text, name)
    return TunedFile(name, text)


def _only(option: str, value: str, supported: str, known: tuple[str, ...]) -> None:
    if value == supported:
        return
    problem = "is not in this version" if value in known else "is unknown"
    raise WvvError(f"{option} {value}: {value!r} {problem}; supported: {supported}")
