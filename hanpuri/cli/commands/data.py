"""Commands of training sets: prepare, export-data, templates."""

from pathlib import Path
from typing import Annotated

import typer

from hanpuri.cli import exporting
from hanpuri.cli.options import Json

app = typer.Typer(rich_markup_mode="rich")
PANEL = "Make data"

PREPARE_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri prepare my.yaml

  hanpuri prepare restoration-pairs --set sources.0.rows=2000 --set augment.copies=3

  hanpuri prepare my.yaml --explain reviews.csv:17
"""
TEMPLATES_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri templates

  hanpuri templates show restoration --row pairs.jsonl:1

  hanpuri templates show chat --row talks.jsonl:7 --tokenizer models/mine
"""


@app.command(epilog=PREPARE_EXAMPLES, rich_help_panel=PANEL)
def prepare(
    recipe: Annotated[str, typer.Argument(help="A recipe file of `kind: prepare`, or the name of a shipped one.")],
    set: Annotated[list[str] | None, typer.Option(help="Override a key, such as split.test=0.1.")] = None,
    out: Annotated[Path, typer.Option(help="Where the folder of the training set is made.")] = Path("prepared"),
    explain: Annotated[
        str | None, typer.Option(metavar="ID", help="Tell what became of a row: its id, or a place such as a.csv:17.")
    ] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="Processes; one a processor, if not given.")] = None,
    json: Json = False,
) -> None:
    """Make a training set of raw files: cleaned, de-duplicated, split, augmented, with a report."""
    from hanpuri.cli import preparing

    preparing.run(recipe, tuple(set or ()), out, asked=explain, processes=processes, as_json=json)


@app.command(name="export-data", epilog=exporting.EXAMPLES, rich_help_panel=PANEL)
def export_data(
    source: Annotated[Path, typer.Argument(help="The folder of a prepared set; or JSONL, CSV, TSV or Parquet.")],
    format: Annotated[str, typer.Option(help="openai, gemini, alpaca, messages or koalpaca.")],
    out: Annotated[Path, typer.Option(help="Write here: .jsonl, for Alpaca also .json; with .gz or .xz behind it.")],
    split: Annotated[str | None, typer.Option(help="train, validation or test of a prepared set.")] = None,
    system: Annotated[str | None, typer.Option(help="A text put before conversations that have none.")] = None,
    instruction: Annotated[str | None, typer.Option(help="What to ask for each noisy text, in place of ours.")] = None,
    id_file: Annotated[Path | None, typer.Option(help="Where what the format cannot hold goes; beside --out.")] = None,
    limit_bytes: Annotated[int | None, typer.Option(min=1, help="How large the file may be.")] = None,
    json: Json = False,
) -> None:
    """Write rows in the format of a provider, each line checked against its published schema."""
    exporting.export_data(
        source,
        out,
        format,
        split=split,
        system=system,
        instruction=instruction,
        id_file=id_file,
        limit_bytes=limit_bytes,
        as_json=json,
    )


templates = typer.Typer(no_args_is_help=False, invoke_without_command=True, rich_markup_mode="rich")
app.add_typer(templates, name="templates", epilog=TEMPLATES_EXAMPLES, rich_help_panel=PANEL)


@templates.callback()
def list_templates(context: typer.Context, json: Json = False) -> None:
    """List the prompt templates; `show` prints what one makes of a row."""
    from hanpuri.cli import templates as prompt_templates

    if context.invoked_subcommand is None:
        prompt_templates.list_templates(as_json=json)


@templates.command(name="show", epilog=TEMPLATES_EXAMPLES)
def show_template(
    name: Annotated[str, typer.Argument(help="A shipped template, a template file, or chat: the tokenizer's own.")],
    row: Annotated[str, typer.Option(metavar="FILE:LINE", help="The row, by the line at which it begins.")],
    tokenizer: Annotated[str | None, typer.Option(help="A model's folder: show its tokens too.")] = None,
    train_on: Annotated[str, typer.Option(help="all turns of the assistant, or the last one.")] = "all",
    json: Json = False,
) -> None:
    """Print what a template makes of a row, with what is trained in ⟦…⟧."""
    from hanpuri.cli import templates as prompt_templates

    prompt_templates.show(name, row, tokenizer=tokenizer, train_on=train_on, as_json=json)
