"""`wvv micro`: from an archive to a firmware project, and from there onto a board."""

from __future__ import annotations

import typer

from tvm_wvv.cli import micro_build, micro_create, micro_flash, micro_run

app = typer.Typer(
    name="micro",
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Make a firmware project of an archive, build it, flash it, run it.",
)
app.command("create")(micro_create.command)
app.command("build")(micro_build.command)
app.command("flash")(micro_flash.command)
app.command("run")(micro_run.command)
