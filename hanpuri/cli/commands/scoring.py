"""Commands that measure: evaluate, verdict, postprocess."""

from pathlib import Path
from typing import Annotated

import typer

from hanpuri.cli.options import Encoding, Json, Threads

app = typer.Typer(rich_markup_mode="rich")
PANEL = "Measure"

EVALUATE_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri evaluate pairs.jsonl

  hanpuri evaluate pairs.jsonl --model small --json

  hanpuri evaluate pairs.jsonl --engine echo --engine compact:base --engine compact:base,reach=wide --slices

  hanpuri evaluate faq.csv --engine transformers:runs/faq --engine openai:http://127.0.0.1:8000/v1 --out scores

  hanpuri evaluate test.csv --engine transformers:runs/mine,aligned=airbnb --submission answers.csv
"""
VERDICT_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri verdict restoration-verdict --dry-run

  hanpuri verdict my.yaml

  hanpuri verdict my.yaml --set rows.rows=200 --set good_enough=0.9 --json
"""
POSTPROCESS_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri postprocess pairs.jsonl

  hanpuri postprocess pairs.jsonl --engine compact:small --train clean.txt --out steps.yaml

  hanpuri postprocess pairs.jsonl --train clean.txt --step rescoring --lm transformers:runs/cpu-tiny
"""


@app.command(epilog=EVALUATE_EXAMPLES, rich_help_panel=PANEL)
def evaluate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Noisy/clean pairs, instructions, messages.")],
    engine: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[:MODEL]", help="echo, compact:base, transformers:runs/mine, …; may be repeated."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Short for --engine compact:MODEL; base, if no engine is given.")
    ] = None,
    threads: Threads = None,
    feasible: Annotated[str | None, typer.Option(help="As in `hanpuri restore`; for --model.")] = None,
    reach: Annotated[str | None, typer.Option(help="As in `hanpuri restore`; for --model.")] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="ENGINE", help="Hold the others against this one; the first, if not given.")
    ] = None,
    fields: Annotated[
        list[str] | None, typer.Option(metavar="FIELD=COLUMN", help="A file's own column names: noisy=review.")
    ] = None,
    encoding: Encoding = "utf-8",
    rows: Annotated[int | None, typer.Option(min=1, help="Draw so many rows of each file.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of drawn rows and tokens, and of the intervals.")] = 0,
    clean: Annotated[bool, typer.Option("--clean/--no-clean", help="Whether clean text is restored too.")] = True,
    max_new_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of an answer at most; as the longest text needs, or 256.")
    ] = None,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest token; 1 draws freely.")] = 0.0,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows that are answered together.")] = 16,
    slices: Annotated[bool, typer.Option("--slices", help="Print scores by length, rule, level and source.")] = False,
    slice_by: Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Slice by this column too.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="A folder for the answers as they come, the scores, and report.html.")
    ] = None,
    submission: Annotated[Path | None, typer.Option(help="Write the answers as a CSV of ID,output.")] = None,
    postprocess: Annotated[
        Path | None, typer.Option(help="Put the steps of this file behind every engine; see `hanpuri postprocess`.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print tables for a README.")] = False,
    json: Json = False,
) -> None:
    """Score engines on your own rows, with intervals; tell whether they differ."""
    from hanpuri.cli import scoring

    asked = scoring.Asked(
        tuple(files),
        engines=tuple(engine or ()),
        model=model,
        threads=threads,
        feasible=feasible,
        reach=reach,
        baseline=baseline,
        encoding=encoding,
        fields=tuple(fields or ()),
        slice_by=tuple(slice_by or ()),
        rows=rows,
        seed=seed,
        clean=clean,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        batch_size=batch_size,
        out=out,
        submission=submission,
        postprocess=postprocess,
        as_json=json,
        slices=slices,
        markdown=markdown,
    )
    scoring.evaluate(asked)


@app.command(epilog=VERDICT_EXAMPLES, rich_help_panel=PANEL)
def verdict(
    recipe: Annotated[str, typer.Argument(help="A recipe file of `kind: verdict`, or the name of a shipped one.")],
    set: Annotated[list[str] | None, typer.Option(help="Override a key, such as good_enough=0.9.")] = None,
    out: Annotated[Path, typer.Option(help="Where the verdict's folder is made.")] = Path("verdicts"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look at the rows, say who would be asked.")] = False,
    json: Json = False,
) -> None:
    """Is fine-tuning needed? Ask candidates the same rows; a table, and advice with its reasons."""
    from hanpuri.cli import verdicts

    verdicts.run(recipe, tuple(set or ()), out, dry_run=dry_run, as_json=json)


@app.command(epilog=POSTPROCESS_EXAMPLES, rich_help_panel=PANEL)
def postprocess(
    pairs: Annotated[Path, typer.Argument(metavar="PAIRS", help="A file with the fields noisy and clean.")],
    engine: Annotated[str, typer.Option(metavar="NAME[:MODEL]", help="Whose answers are corrected.")] = "compact:base",
    step: Annotated[
        list[str] | None,
        typer.Option(help="spacing, spelling, dictionary, feasibility or rescoring; all that can be, if not given."),
    ] = None,
    train: Annotated[Path | None, typer.Option(help="Clean texts, for what has to know words.")] = None,
    lm: Annotated[str, typer.Option(metavar="NAME:MODEL", help="A language model, for rescoring.")] = "",
    choose_on: Annotated[
        Path | None, typer.Option(help="Other pairs to choose thresholds by; half of the file, if not given.")
    ] = None,
    measure: Annotated[
        str, typer.Option(help="What a step has to raise (or, of error rates, to lower).")
    ] = "char_accuracy",
    seed: Annotated[int, typer.Option(min=0, help="Of intervals and p-values.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the steps that help, for `evaluate --postprocess`.")] = None,
    kept: Annotated[Path | None, typer.Option(help="Keep answers here, so that a stopped call goes on.")] = None,
    json: Json = False,
) -> None:
    """Try corrections behind a model; each is kept only if held-out rows show that it helps."""
    from hanpuri.cli import postprocessing

    wanted = postprocessing.Wanted(engine, tuple(step or ()), train, lm, choose_on, measure, seed)
    postprocessing.run(pairs, wanted, out=out, kept=kept, as_json=json)
