"""Commands of the compact restorer: restore, obfuscate, models, doctor."""

from typing import Annotated, Any

import typer

from hanpuri.cli import doctor as doctor_report
from hanpuri.cli import models_table, texts
from hanpuri.cli.options import Encoding, FieldName, File, Format, Json, Model, Out, Reach, Texts, Threads

app = typer.Typer(rich_markup_mode="rich")
PANEL = "Restore"


@app.command(epilog=texts.RESTORE_EXAMPLES, rich_help_panel=PANEL)
def restore(
    text: Texts = None,
    file: File = None,
    out: Out = None,
    field: FieldName = None,
    into: Annotated[
        str, typer.Option(help="Field or column for the result; an existing one is replaced.")
    ] = "restored",
    encoding: Encoding = "utf-8",
    format: Format = None,
    model: Model = "base",
    threads: Threads = None,
    feasible: Annotated[
        str | None, typer.Option(help="Take only syllables that this profile's noise can have come from: airbnb, hand.")
    ] = None,
    reach: Reach = "syllables",
    spacing: Annotated[bool, typer.Option("--spacing", help="Move spaces too; with --reach wide.")] = False,
    device: Annotated[
        str | None, typer.Option(help="cuda: label syllables on a GPU, for files of millions; needs torch.")
    ] = None,
    show: Annotated[str | None, typer.Option(help="edits or confidence: a view for people, before and after.")] = None,
    json: Json = False,
    each_line: Annotated[bool, typer.Option("--each-line", help="Answer every line at once, for live pipes.")] = False,
) -> None:
    """Make obfuscated Korean readable; length, spacing and all but 가–힣 stay as they are, but with --reach wide."""
    given = texts.Given(tuple(text or ()), file, out, field, into, encoding, format, each_line)
    how = texts.How(model, threads, feasible, reach, spacing, device)
    texts.restore(given, how, show=show, as_json=json)


@app.command(epilog=texts.OBFUSCATE_EXAMPLES, rich_help_panel=PANEL)
def obfuscate(
    text: Texts = None,
    file: File = None,
    out: Out = None,
    field: FieldName = None,
    into: Annotated[str, typer.Option(help="Field or column for the result; an existing one is replaced.")] = "noisy",
    encoding: Encoding = "utf-8",
    format: Format = None,
    profile: Annotated[
        str, typer.Option(help="airbnb, the web generator, or hand, the wider manner of people.")
    ] = "airbnb",
    liaison: Annotated[float, typer.Option(min=0, max=1, help="Slider 1: tails that move on.")] = 0.5,
    doubling: Annotated[float, typer.Option(min=0, max=1, help="Slider 2: leads copied as tails.")] = 0.5,
    change: Annotated[float, typer.Option(min=0, max=1, help="Slider 3: letters that change.")] = 0.5,
    tail_insertion: Annotated[float, typer.Option(min=0, max=1, help="Slider 4: tails put in.")] = 0.5,
    strength: Annotated[float, typer.Option(min=0, max=1, help="Share of syllables that may change at all.")] = 1.0,
    any_syllable: Annotated[bool, typer.Option("--any-syllable", help="Not only syllables of KS X 1001.")] = False,
    seed: Annotated[int, typer.Option(help="Which of the many noisy forms.")] = 0,
    json: Json = False,
) -> None:
    """Make Korean unreadable for machines, as guests do in their reviews."""
    given = texts.Given(tuple(text or ()), file, out, field, into, encoding, format, each_line=False)
    sliders = {"liaison": liaison, "doubling": doubling, "change": change, "tail_insertion": tail_insertion}
    settings: dict[str, Any] = {"profile": profile, "strength": strength, "ks_x_1001": not any_syllable}
    texts.obfuscate(given, seed=seed, sliders=sliders, settings=settings, as_json=json)


@app.command(rich_help_panel=PANEL)
def models(json: Json = False) -> None:
    """List the shipped models: size, speed, accuracy."""
    models_table.show(as_json=json)


@app.command(rich_help_panel=PANEL)
def doctor(json: Json = False) -> None:
    """Look at this installation: versions, processors, models, one restored sentence."""
    doctor_report.show(as_json=json)
