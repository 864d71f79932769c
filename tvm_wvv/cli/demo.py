"""`make demo`: the packaged digits network through the whole flow, and what it costs with and without Winograd."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tvm_wvv.cli.progress import progress_bars
from tvm_wvv.errors import WvvError

if TYPE_CHECKING:
    from rich.table import Table

    from tvm_wvv.report.figures import LayerFigures, Profile

MODEL = "digits"
BOARD = "mps2-an386"


def main() -> int:
    """Measure and print; the exit status is 2 where the user has to mend something first."""
    from tvm_wvv.cli.measure import evaluate, profile
    from tvm_wvv.micro.session import open_session
    from tvm_wvv.passes.options import Options
    from tvm_wvv.report.output import show
    from tvm_wvv.report.text import percent

    try:
        with progress_bars() as progress:
            direct = profile(open_session(MODEL, Options(winograd="off"), progress), BOARD, progress)
            session = open_session(MODEL, Options(winograd="auto"), progress)
            winograd = profile(session, BOARD, progress)
            score = evaluate(session, BOARD, MODEL, None, progress)
    except WvvError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    show(
        comparison(direct, winograd),
        f"accuracy on {score.n} held-out digits, on the firmware: {score.top1:.2f} %\n"
        f"against TFLite's reference kernels: same class {percent(score.agreement)}, "
        f"same bytes {percent(score.identical)}",
    )
    return 0


def comparison(direct: Profile, winograd: Profile) -> Table:
    """Instructions of each layer in both forms, then the memory that both take."""
    from tvm_wvv.report.tables import table
    from tvm_wvv.report.text import kib

    columns = ("layer", "op", "Winograd", "direct", "with Winograd", "fewer")
    rows = [_row(one, other) for one, other in zip(direct.layers, winograd.layers, strict=True)]
    made = table(columns, rows, f"{direct.model} on {direct.board}: instructions of one inference", numbers=range(3, 6))
    made.add_section()
    before, after = direct.totals, winograd.totals
    made.add_row("all layers", "", "", *_counts(before.instructions, after.instructions))
    made.add_row("flash", "", "", kib(before.flash_bytes), kib(after.flash_bytes))
    made.add_row("RAM", "", "", kib(before.ram_bytes), kib(after.ram_bytes))
    return made


def _row(direct: LayerFigures, winograd: LayerFigures) -> tuple[str, ...]:
    from tvm_wvv.frontends.layer_names import label

    algorithm = "" if winograd.algorithm == "direct" else winograd.algorithm
    return (label(direct.name), direct.op, algorithm, *_counts(direct.instructions, winograd.instructions))


def _counts(before: int | None, after: int | None) -> tuple[str, str, str]:
    from tvm_wvv.report.figures import ratio
    from tvm_wvv.report.text import count, two_decimals

    return count(before), count(after), two_decimals(ratio(before, after), " x")


if __name__ == "__main__":
    sys.exit(main())
