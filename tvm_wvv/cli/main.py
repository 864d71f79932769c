"""The command line as a whole: every sub-command, and how errors end.

Exit status: 0 done, 1 `doctor` misses something, 2 the user can mend it (one line on stderr), 130 Ctrl-C, 143 SIGTERM.
Anything else is our bug and keeps its traceback.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer

from tvm_wvv import __version__
from tvm_wvv.cli import (
    boards,
    calibrate,
    compare,
    doctor,
    evaluate,
    explain,
    fit,
    inspect,
    micro,
    profile,
    run,
    study,
    tune,
)
from tvm_wvv.cli import compile as compile_
from tvm_wvv.cli import train as train_
from tvm_wvv.errors import WvvError
from tvm_wvv.report.output import abandon_stdout

# Typer carried click, then a copy of it; BadParameter is the name that every version exports, and the class
# two steps above it is the root of all complaints about the command line.
_CommandLineError: type[Any] = typer.BadParameter.__mro__[2]

app = typer.Typer(name="wvv", pretty_exceptions_enable=False, rich_markup_mode="rich", add_completion=False)
app.command("compile")(compile_.command)
app.command("run")(run.command)
app.command("eval")(evaluate.command)
app.command("profile")(profile.command)
app.command("explain")(explain.command)
app.command("fit")(fit.command)
app.command("inspect")(inspect.command)
app.command("calibrate")(calibrate.command)
app.command("compare")(compare.command)
app.command("study")(study.command)
app.command("train")(train_.command)
app.command("tune")(tune.command)
app.add_typer(micro.app)
app.command("boards")(boards.command)
app.command("doctor")(doctor.command)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"wvv {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _all_commands(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Compile int8 TFLite networks to plain C for Cortex-M, with 3x3 convolutions in exact Winograd form.

    Start with [bold]wvv doctor[/bold], then [bold]wvv eval digits --board mps2-an386 --data digits[/bold].
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


def execute(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit status; every error that a user can mend is one line on stderr."""
    command = typer.main.get_command(app)
    try:
        status = command.main(args=list(arguments), prog_name="wvv", standalone_mode=False)
        sys.stdout.flush()
    except WvvError as error:
        return _complain(str(error), 2)
    except BrokenPipeError:
        # Quiet, and the status that typer and rich give where they notice it first.
        abandon_stdout()
        return 1
    except _CommandLineError as error:
        return _complain(_usage(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted", 130)
    # Typer turns Ctrl-C within a command into this status, without a word.
    return _complain("interrupted", 130) if status == 130 else int(status or 0)


def main() -> NoReturn:
    """The console script: `execute` on this process's arguments."""
    # SystemExit unwinds the stack, so that temporary files go and QEMU is stopped.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    sys.exit(execute(sys.argv[1:]))


def _usage(error: Any) -> str:
    """The complaint in one line, with where to read on."""
    path = error.ctx.command_path if getattr(error, "ctx", None) else "wvv"
    return f"{' '.join(error.format_message().split())} See: {path} --help"


def _complain(line: str, status: int) -> int:
    # An error of several lines is still shown as one: a user greps for it, a log keeps it whole.
    print(f"wvv: {' '.join(line.split())}", file=sys.stderr)
    return status
