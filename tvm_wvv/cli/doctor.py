"""`wvv doctor`: what this project needs, what of it is installed, and the line that installs the rest."""

from __future__ import annotations

from dataclasses import asdict

import typer

from tvm_wvv.cli.options import Json


def command(json: Json = False) -> None:
    """Check that compilers, QEMU and Python packages are there; the exit status is 1 if one is missing.

    [bold]Example[/bold]: wvv doctor || echo "not yet"
    """
    from tvm_wvv.micro.doctor import checks
    from tvm_wvv.report.output import print_json, show
    from tvm_wvv.report.tables import table

    found = checks()
    ok = all(check.ok for check in found)
    if json:
        print_json({"ok": ok, "checks": [asdict(check) for check in found]})
    else:
        rows = [
            (check.name, "ok" if check.ok else "MISSING" if check.found is None else "WRONG", check.found or "-",
             "" if check.ok else check.fix)
            for check in found
        ]  # fmt: skip
        show(table(("need", "state", "found", "to mend it"), rows))
    if not ok:
        raise typer.Exit(1)
