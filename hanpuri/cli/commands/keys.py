"""Commands that keep API keys: keys add, keys list, keys remove."""

from pathlib import Path
from typing import Annotated

import typer

from hanpuri.cli import keys as api_keys
from hanpuri.cli.options import Json

app = typer.Typer(rich_markup_mode="rich")
keys = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="API keys of a service: add, list, remove.")
app.add_typer(keys, name="keys", epilog=api_keys.EXAMPLES, rich_help_panel="Serve")

Name = Annotated[str, typer.Argument(help="Who has the key; the log names it.")]
KeyFile = Annotated[
    Path,
    typer.Option("--file", envvar="HANPURI_API_KEY_FILE", help="The file of keys; a running service reads it again."),
]


@keys.command(epilog=api_keys.EXAMPLES)
def add(
    name: Name,
    file: KeyFile = api_keys.USUAL_FILE,
    requests_per_minute: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="How often it may ask.")
    ] = api_keys.USUAL_RATE,
    json: Json = False,
) -> None:
    """Make a key and print it, this once: the file keeps only its hash."""
    api_keys.add(file, name, requests_per_minute, as_json=json)


@keys.command("list", epilog=api_keys.EXAMPLES)
def list_keys(file: KeyFile = api_keys.USUAL_FILE, json: Json = False) -> None:
    """List who has a key, since when, and how often it may ask."""
    api_keys.show(file, as_json=json)


@keys.command(epilog=api_keys.EXAMPLES)
def remove(name: Name, file: KeyFile = api_keys.USUAL_FILE, json: Json = False) -> None:
    """Take a key away; running services let it in no more."""
    api_keys.remove(file, name, as_json=json)
