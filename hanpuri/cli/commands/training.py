"""Commands of trainings: train, export, runs, publish, scaling-law."""

from pathlib import Path
from typing import Annotated

import typer

from hanpuri.cli import publishing, scaling
from hanpuri.cli.options import Device, Json, RunsFolder

app = typer.Typer(rich_markup_mode="rich")
PANEL = "Train"

TRAIN_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri train base

  hanpuri train my.yaml --set network.width=256 --set training.dropout=0.1

  hanpuri train base --stop-after 540

  hanpuri train cpu-tiny --dry-run

  hanpuri train rounds-tiny --dry-run

  hanpuri train qwen3-sft-lora --set model.path=models/qwen3 --set training.epochs=1

  torchrun --nproc-per-node 2 -m hanpuri train my.yaml
"""
EXPORT_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri export runs/base
"""
RUNS_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri runs

  hanpuri runs show mine

  hanpuri runs compare mine base --html comparison.html

  hanpuri runs compare mine base --markdown >> NOTES.md
"""


@app.command(epilog=TRAIN_EXAMPLES, rich_help_panel=PANEL)
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe file, or the name of a shipped one: base, cpu-tiny.")],
    set: Annotated[list[str] | None, typer.Option(help="Override a key, such as training.steps=100.")] = None,
    runs: Annotated[Path, typer.Option(help="Where run folders are made.")] = Path("runs"),
    stop_after: Annotated[float, typer.Option(min=0, help="Save and stop after so many seconds.")] = float("inf"),
    device: Device = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check an LLM recipe, show rows, memory and time ahead; train nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Train what a recipe describes; the same command goes on with a run that was stopped."""
    from hanpuri.cli import learning

    given = tuple(set or ())
    learning.train(recipe, given, runs, stop_after=stop_after, device=device, dry_run=dry_run, as_json=json)


@app.command(epilog=EXPORT_EXAMPLES, rich_help_panel=PANEL)
def export(run: Annotated[Path, typer.Argument(help="The folder of a run that has trained.")]) -> None:
    """Make a run's quantised model again from its weights."""
    from hanpuri.cli import learning

    learning.export(run)


runs = typer.Typer(no_args_is_help=False, invoke_without_command=True, rich_markup_mode="rich")
app.add_typer(runs, name="runs", epilog=RUNS_EXAMPLES, rich_help_panel=PANEL)


@runs.callback()
def list_runs(context: typer.Context, folder: RunsFolder = Path("runs"), json: Json = False) -> None:
    """List trainings: how far, how good; `show` tells all of one, `compare` lays several beside each other."""
    from hanpuri.cli import runs_table

    if context.invoked_subcommand is None:
        runs_table.list_runs(folder, as_json=json)


@runs.command(name="show", epilog=RUNS_EXAMPLES)
def show_run(
    run: Annotated[str, typer.Argument(help="A run's name or folder.")],
    folder: RunsFolder = Path("runs"),
    json: Json = False,
) -> None:
    """Tell all there is to know of a run: scores, recipe, data, environment, events, files."""
    from hanpuri.cli import runs_table

    runs_table.show(run, folder, as_json=json)


@runs.command(name="compare", epilog=RUNS_EXAMPLES)
def compare_runs(
    names: Annotated[list[str], typer.Argument(metavar="RUN...", help="Names or folders, two or more.")],
    folder: RunsFolder = Path("runs"),
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table for a README.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with the curves over each other.")] = None,
    json: Json = False,
) -> None:
    """Print the table that people write by hand: model, method, data, scores, time, memory."""
    from hanpuri.cli import runs_table

    runs_table.compare(names, folder, markdown=markdown, html=html, as_json=json)


@app.command(epilog=publishing.EXAMPLES, rich_help_panel=PANEL)
def publish(
    run: Annotated[Path, typer.Argument(help="The folder of a run that has come to its end.")],
    to: Annotated[str, typer.Option(metavar="FOLDER|hub:NAME", help="A new folder, or a name on the hub.")],
    gguf: Annotated[
        list[str] | None,
        typer.Option(metavar="TYPE", help="Also for llama.cpp: F16, Q8_0, Q4_K_M, …; may be repeated."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build and check; say what would go, send nothing.")
    ] = False,
    private: Annotated[bool, typer.Option("--private/--public", help="Who sees it on the hub.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace a folder that is there.")] = False,
    license: Annotated[
        str | None, typer.Option(help="For the card, such as apache-2.0; the base's, if it is known.")
    ] = None,
    prompts: Annotated[Path | None, typer.Option(help="Rows for the parity proof, in place of the run's own.")] = None,
    device: Device = None,
    json: Json = False,
) -> None:
    """Merge a run's adapter, prove that nothing was lost, write a model card; to a folder or the hub."""
    publishing.run(
        run,
        to,
        gguf=tuple(gguf or ()),
        dry_run=dry_run,
        private=private,
        force=force,
        license=license,
        prompts=prompts,
        device=device,
        as_json=json,
    )


@app.command(name="scaling-law", epilog=scaling.EXAMPLES, rich_help_panel=PANEL)
def scaling_law(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="Folders of pre-training runs.")] = None,
    table: Annotated[Path | None, typer.Option(help="Or a CSV with the columns N, D, loss.")] = None,
    compute: Annotated[
        list[float] | None, typer.Option(help="Floating-point operations to spend, such as 1e18; may be repeated.")
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(help="Foretell the loss of N parameters on D tokens: 1.1e8,2.6e8; may be repeated."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write a page with table and plots.")] = None,
    json: Json = False,
) -> None:
    """From small runs to the model and data size that a compute budget is best spent on."""
    scaling.run(runs or (), table, compute or (), at or (), out, as_json=json)
