"""The commands and their options; what they do lies in the rooms that they call."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hanpuri import __version__
from hanpuri.cli import (
    asking,
    chatting,
    choosing,
    exporting,
    learning,
    models_table,
    postprocessing,
    preparing,
    publishing,
    runs_table,
    scaling,
    scoring,
    texts,
    verdicts,
)
from hanpuri.cli import doctor as doctor_report
from hanpuri.cli import templates as prompt_templates
from hanpuri.cli.options import (
    Aligned,
    AskedModel,
    Device,
    Encoding,
    Engine,
    FieldName,
    File,
    Format,
    FourBit,
    Json,
    MaxNewTokens,
    Model,
    Out,
    RunsFolder,
    Seed,
    Stop,
    System,
    Temperature,
    Template,
    Texts,
    Threads,
    TopK,
    TopP,
)
from hanpuri.engines.base import Decoding

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


@app.command(epilog=texts.RESTORE_EXAMPLES)
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
    show: Annotated[str | None, typer.Option(help="edits or confidence: a view for people, before and after.")] = None,
    json: Json = False,
    each_line: Annotated[bool, typer.Option("--each-line", help="Answer every line at once, for live pipes.")] = False,
) -> None:
    """Make obfuscated Korean readable; length, spacing and all but 가–힣 stay as they are."""
    given = texts.Given(tuple(text or ()), file, out, field, into, encoding, format, each_line)
    texts.restore(given, model=model, threads=threads, feasible=feasible, show=show, as_json=json)


@app.command(epilog=texts.OBFUSCATE_EXAMPLES)
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


@app.command(epilog=scoring.EXAMPLES)
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
    asked = scoring.Asked(
        tuple(files),
        engines=tuple(engine or ()),
        model=model,
        threads=threads,
        feasible=feasible,
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


@app.command(epilog=verdicts.EXAMPLES)
def verdict(
    recipe: Annotated[str, typer.Argument(help="A recipe file of `kind: verdict`, or the name of a shipped one.")],
    set: Annotated[list[str] | None, typer.Option(help="Override a key, such as good_enough=0.9.")] = None,
    out: Annotated[Path, typer.Option(help="Where the verdict's folder is made.")] = Path("verdicts"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look at the rows, say who would be asked.")] = False,
    json: Json = False,
) -> None:
    """Is fine-tuning needed? Ask candidates the same rows; a table, and advice with its reasons."""
    verdicts.run(recipe, tuple(set or ()), out, dry_run=dry_run, as_json=json)


@app.command(epilog=learning.TRAIN_EXAMPLES)
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
    given = tuple(set or ())
    learning.train(recipe, given, runs, stop_after=stop_after, device=device, dry_run=dry_run, as_json=json)


@app.command(epilog=learning.EXPORT_EXAMPLES)
def export(run: Annotated[Path, typer.Argument(help="The folder of a run that has trained.")]) -> None:
    """Make a run's quantised model again from its weights."""
    learning.export(run)


@app.command(epilog=preparing.EXAMPLES)
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
    preparing.run(recipe, tuple(set or ()), out, asked=explain, processes=processes, as_json=json)


@app.command(name="export-data", epilog=exporting.EXAMPLES)
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
app.add_typer(templates, name="templates", epilog=prompt_templates.EXAMPLES)


@templates.callback()
def list_templates(context: typer.Context, json: Json = False) -> None:
    """List the prompt templates; `show` prints what one makes of a row."""
    if context.invoked_subcommand is None:
        prompt_templates.list_templates(as_json=json)


@templates.command(name="show", epilog=prompt_templates.EXAMPLES)
def show_template(
    name: Annotated[str, typer.Argument(help="A shipped template, a template file, or chat: the tokenizer's own.")],
    row: Annotated[str, typer.Option(metavar="FILE:LINE", help="The row, by the line at which it begins.")],
    tokenizer: Annotated[str | None, typer.Option(help="A model's folder: show its tokens too.")] = None,
    train_on: Annotated[str, typer.Option(help="all turns of the assistant, or the last one.")] = "all",
    json: Json = False,
) -> None:
    """Print what a template makes of a row, with what is trained in ⟦…⟧."""
    prompt_templates.show(name, row, tokenizer=tokenizer, train_on=train_on, as_json=json)


runs = typer.Typer(no_args_is_help=False, invoke_without_command=True, rich_markup_mode="rich")
app.add_typer(runs, name="runs", epilog=runs_table.EXAMPLES)


@runs.callback()
def list_runs(context: typer.Context, folder: RunsFolder = Path("runs"), json: Json = False) -> None:
    """List trainings: how far, how good; `show` tells all of one, `compare` lays several beside each other."""
    if context.invoked_subcommand is None:
        runs_table.list_runs(folder, as_json=json)


@runs.command(name="show", epilog=runs_table.EXAMPLES)
def show_run(
    run: Annotated[str, typer.Argument(help="A run's name or folder.")],
    folder: RunsFolder = Path("runs"),
    json: Json = False,
) -> None:
    """Tell all there is to know of a run: scores, recipe, data, environment, events, files."""
    runs_table.show(run, folder, as_json=json)


@runs.command(name="compare", epilog=runs_table.EXAMPLES)
def compare_runs(
    names: Annotated[list[str], typer.Argument(metavar="RUN...", help="Names or folders, two or more.")],
    folder: RunsFolder = Path("runs"),
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table for a README.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with the curves over each other.")] = None,
    json: Json = False,
) -> None:
    """Print the table that people write by hand: model, method, data, scores, time, memory."""
    runs_table.compare(names, folder, markdown=markdown, html=html, as_json=json)


@app.command(epilog=publishing.EXAMPLES)
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


@app.command(epilog=asking.EXAMPLES)
def ask(
    question: Annotated[
        list[str] | None, typer.Argument(metavar="[QUESTION]...", help="Questions; else --file, else stdin.")
    ] = None,
    engine: Engine = None,
    model: AskedModel = None,
    file: File = None,
    out: Out = None,
    field: Annotated[str | None, typer.Option("--field", "--column", help="The field with the question.")] = None,
    into: Annotated[str, typer.Option(help="Field or column for the answer.")] = "answer",
    encoding: Encoding = "utf-8",
    format: Format = None,
    template: Template = None,
    system: System = "",
    aligned: Aligned = None,
    max_new_tokens: MaxNewTokens = 256,
    temperature: Temperature = 0.0,
    top_p: TopP = 1.0,
    top_k: TopK = 0,
    stop: Stop = None,
    seed: Seed = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Questions answered at once; 1 for a live pipe.")] = 16,
    four_bit: FourBit = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Answer questions, each by itself, with any engine; a long file goes on where it was stopped."""
    choice = choosing.Choice(engine, model, template, system, aligned, four_bit, device)
    decoding = Decoding(max_new_tokens, temperature, top_p, top_k, tuple(stop or ()), seed, batch_size)
    given = asking.Given(tuple(question or ()), file, out, field, into, encoding, format, json)
    asking.run(choice, given, decoding)


@app.command(epilog=chatting.EXAMPLES)
def chat(
    name: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="A run, a model's folder, a .gguf, an address, an engine.")
    ] = None,
    engine: Engine = None,
    model: AskedModel = None,
    template: Template = None,
    system: System = "",
    aligned: Aligned = None,
    max_new_tokens: MaxNewTokens = 256,
    temperature: Temperature = 0.0,
    top_p: TopP = 1.0,
    top_k: TopK = 0,
    stop: Stop = None,
    seed: Seed = 0,
    four_bit: FourBit = False,
    device: Device = None,
) -> None:
    """Talk with a model, asked as it was trained to be asked; `hanpuri ask` answers single questions and files."""
    engine, model = choosing.choose(name, engine, model)
    choice = choosing.Choice(engine, model, template, system, aligned, four_bit, device)
    decoding = Decoding(max_new_tokens, temperature, top_p, top_k, tuple(stop or ()), seed)
    chatting.run(choice, decoding)


@app.command(epilog=postprocessing.EXAMPLES)
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
    wanted = postprocessing.Wanted(engine, tuple(step or ()), train, lm, choose_on, measure, seed)
    postprocessing.run(pairs, wanted, out=out, kept=kept, as_json=json)


@app.command(name="scaling-law", epilog=scaling.EXAMPLES)
def scaling_law(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="Folders of pre-training runs.")] = None,
    table: Annotated[Path | None, typer.Option(help="Or a CSV with the columns N, D, loss.")] = None,
    compute: Annotated[
        list[float] | None, typer.Option(help="Floating-point operations to spend, such as 1e18; may be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write a page with table and plots.")] = None,
    json: Json = False,
) -> None:
    """From small runs to the model and data size that a compute budget is best spent on."""
    scaling.run(runs or (), table, compute or (), out, as_json=json)


@app.command()
def models(json: Json = False) -> None:
    """List the shipped models: size, speed, accuracy."""
    models_table.show(as_json=json)


@app.command()
def doctor(json: Json = False) -> None:
    """Look at this installation: versions, processors, models, one restored sentence."""
    doctor_report.show(as_json=json)
