"""The commands, by what they are for; what they do lies in the rooms that they call."""

from typing import Annotated

import typer

from hanpuri import __version__
from hanpuri.cli.commands import (
    adapting,
    aligning,
    answering,
    data,
    feedback,
    keys,
    restoring,
    scoring,
    serving,
    training,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Restore obfuscated Korean, and train the models that do it.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"hanpuri {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Restore obfuscated Korean, and train the models that do it."""


for group in (restoring, data, training, adapting, aligning, answering, scoring, serving, keys, feedback):
    app.add_typer(group.app)
