"""`wvv micro run`: a project's firmware, or its host program, on inputs from a file or on the project's own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tvm_wvv.cli.micro_build import Folder
from tvm_wvv.cli.options import Json
from tvm_wvv.cli.output_file import check_writable
from tvm_wvv.cli.progress import progress_bars
from tvm_wvv.cli.run import Output, output_facts, write_arrays

if TYPE_CHECKING:
    import numpy as np

    from tvm_wvv.micro.project import Project
    from tvm_wvv.micro.runners import Arrays, Runner, SerialFigures
    from tvm_wvv.micro.samples import Form

Input = Annotated[
    Path | None,
    typer.Option("--input", metavar="X.npy", help="As of wvv run; else the project's own.", show_default=False),
]
Port = Annotated[
    str | None,
    typer.Option(
        "--port",
        metavar="PORT",
        help="A board that is flashed already: /dev/ttyACM0, or socket://HOST:PORT. Else QEMU, or this host.",
        show_default=False,
    ),
]


def command(
    folder: Folder, source: Input = None, output: Output = None, port: Port = None, json: Json = False
) -> None:
    """Build and run a project: bare metal on QEMU, a library on this host, anything else behind a serial port.

    Without --input it runs the examples that the project carries, and compares every output byte.

    [bold]Examples[/bold]:

    wvv micro run firmware

    wvv micro run firmware --port /dev/ttyACM0 --input images.npy --output scores.npy
    """
    from tvm_wvv.micro.project import read_project
    from tvm_wvv.micro.project_run import check_outputs, project_runner, read_check
    from tvm_wvv.micro.samples import check_output, unstacked

    project = read_project(folder)
    if output is not None:
        check_writable(output)
        check_output(output, project.outputs)
    expected = None if source is not None else read_check(project, folder)
    with progress_bars() as progress:
        inputs, form = _inputs(source, project, expected)
        runner = project_runner(project, project.load_board(folder), folder, port, progress)
        arrays = runner.run(inputs, progress)
        cost = _cost(runner, inputs)
    if expected is not None:
        check_outputs(arrays, expected[1], project, folder)
    outputs = {info.name: unstacked(array, form) for info, array in zip(project.outputs, arrays, strict=True)}
    if output is not None:
        write_arrays(output, outputs)
    where = project.board if port is None else f"{project.board} at {port}"
    if project.template == "library":
        where = "this host"
    _print(project, where, outputs, cost, None if expected is None else len(inputs[0]), json)


def _inputs(source: Path | None, project: Project, expected: tuple[Arrays, Arrays] | None) -> tuple[Arrays, Form]:
    from tvm_wvv.micro.samples import read_inputs, stacked

    if source is None:
        assert expected is not None, "without a file the project's own examples are run"
        return expected[0], "stack"
    return stacked(read_inputs(source, project.inputs), project.inputs)


@dataclass(frozen=True)
class _Cost:
    """Of the first inference, as far as the place where it ran can tell."""

    instructions: int | None = None
    serial: SerialFigures | None = None

    @property
    def words(self) -> list[str]:
        from tvm_wvv.report.text import count

        if self.serial is not None:
            ticks, stack = count(self.serial.ticks), count(self.serial.stack_bytes)
            return [f"one inference: {ticks} ticks of {self.serial.clock}; stack: {stack} bytes"]
        return [] if self.instructions is None else [f"instructions for one inference: {count(self.instructions)}"]


def _cost(runner: Runner, inputs: Arrays) -> _Cost:
    from tvm_wvv.micro.runners import OnBoard, OnSerial

    if isinstance(runner, OnBoard):
        return _Cost(instructions=runner.count(inputs).total_instructions)
    return _Cost(serial=runner.time(inputs)) if isinstance(runner, OnSerial) else _Cost()


def _print(
    project: Project, where: str, outputs: dict[str, np.ndarray], cost: _Cost, checked: int | None, json: bool
) -> None:
    from tvm_wvv.report.output import print_json, show
    from tvm_wvv.report.tables import table

    facts: dict[str, Any] = {name: output_facts(array) for name, array in outputs.items()}
    if json:
        head = {"board": project.board, "template": project.template, "where": where}
        # Outputs that are not as expected have ended in an error.
        figures = {**asdict(cost), "identical": None if checked is None else True}
        print_json({**head, "outputs": facts, **figures})
        return
    rows = [(name, "x".join(map(str, fact["shape"])), fact["dtype"], fact["sha256"]) for name, fact in facts.items()]
    show(table(("output", "shape", "type", "sha256"), rows, f"{project.model} on {where}"))
    same = [] if checked is None else [f"output bytes of the project's {checked} examples: as expected"]
    show(*same, *cost.words)
