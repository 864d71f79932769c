"""`wvv doctor`: what this project needs, what of it is installed, and the line that installs the rest."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from tvm_wvv.cli.options import Json

if TYPE_CHECKING:
    from tvm_wvv.micro.doctor import Check


def command(json: Json = False) -> None:
    """Check that compilers, QEMU and Python packages are there; the exit status is 1 if one is missing.

    What only one command needs is listed too, and does not change the status.

    [bold]Example[/bold]: wvv doctor || echo "not yet"
    """
    from tvm_wvv.micro.doctor import checks
    from tvm_wvv.report.output import print_json, show
    from tvm_wvv.report.tables import table

    found = checks()
    ok = all(check.ok or check.only_for for check in found)
    if json:
        print_json({"ok": ok, "checks": [asdict(check) for check in found]})
    else:
        rows = [
            (check.name, _state(check), check.found or "-", "" if check.ok else check.fix)
            for check in found
        ]
        show(table(("need", "state", "found", "to mend it"), rows))
    if not ok:
        raise typer.Exit(1)


def _state(check: Check) -> str:
    if check.ok:
        return "ok"
    if check.only_for:
        return f"missing, only for {check.only_for}"
    return "MISSING" if check.found is None else "WRONG"
