"""Commands of alignment: score, prefer, sample."""

from pathlib import Path
from typing import Annotated

import typer

from hanpuri.cli.options import (
    Aligned,
    AskedModel,
    BatchSize,
    Device,
    Encoding,
    Engine,
    FieldsOption,
    Json,
    Ledger,
    PairsOut,
    RoomFor,
    Rows,
    Temperature,
    Template,
    TopK,
    TopP,
)

app = typer.Typer(rich_markup_mode="rich")
PANEL = "Align"

SCORE_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri score pairs.jsonl --model runs/reward

  hanpuri score pairs.jsonl --model runs/reward --out scored.jsonl --report scores

  hanpuri score samples.jsonl --model runs/reward --out rescored.jsonl

  hanpuri score faq.csv --model runs/reward --fields instruction=question --fields output=answer --json
"""
PREFER_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri prefer mistakes prepared/restoration-pairs --rows 2000 --engine transformers:runs/mine --out pairs.jsonl

  hanpuri prefer scores samples.jsonl --margin 0.1 --out pairs.jsonl

  hanpuri prefer corrections corrections.jsonl --out pairs.jsonl
"""
MISTAKES_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri prefer mistakes prepared/restoration-pairs --rows 2000 --engine transformers:runs/mine --out pairs.jsonl

  hanpuri prefer mistakes pairs.jsonl --model runs/mine --samples 4 --temperature 0.8 --most 1000 --out hard.jsonl

  hanpuri prefer mistakes faq.csv --model runs/faq --measure exact_match --below 1 --out pairs.jsonl --json
"""
SCORES_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri prefer scores samples.jsonl --out pairs.jsonl

  hanpuri prefer scores samples.jsonl --margin 0.05 --pairs all --out pairs.jsonl --json
"""
CORRECTIONS_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri prefer corrections corrections.jsonl --out pairs.jsonl

  hanpuri prefer corrections corrections.jsonl --faults drop --apart disputed.jsonl --out pairs.jsonl
"""
JUDGE_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri prefer judge samples.jsonl --judge judge-restoration --out pairs.jsonl

  hanpuri prefer judge pairs.jsonl --judge judge.yaml --confirmed --out confirmed.jsonl --report judged

  hanpuri prefer judge samples.jsonl --judge judge.yaml --labels people.jsonl --out pairs.jsonl --json
"""
SAMPLE_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri sample pairs.jsonl --engine transformers:runs/mine --score char_accuracy --out samples.jsonl

  hanpuri sample pairs.jsonl --model runs/mine --score char_accuracy --out s.jsonl --best best.jsonl --above 0.9

  hanpuri sample faq.jsonl --model runs/faq --score model:runs/reward --score "same_length*0.5" --out s.jsonl

  hanpuri sample prepared/faq --rows 500 --model runs/faq --score token_f1 --samples 16 --out s.jsonl --report gains
"""


@app.command(epilog=SCORE_EXAMPLES, rich_help_panel=PANEL)
def score(
    file: Annotated[Path, typer.Argument(help="Rows with an answer, preferences, or what `hanpuri sample` wrote.")],
    model: Annotated[str, typer.Option(help="A reward model: the folder of a run, its model/ or its adapter/.")],
    out: Annotated[Path | None, typer.Option(help="Write the rows with their scores here (JSONL).")] = None,
    report: Annotated[Path | None, typer.Option(help="A folder for a page on preferences, and its figures.")] = None,
    fields: FieldsOption = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts that are scored together.")] = 16,
    device: Device = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the intervals.")] = 0,
    json: Json = False,
) -> None:
    """Score answers with a reward model; of preferences, say how often it agrees with them."""
    from hanpuri.cli import rewarding

    told = tuple(fields or ())
    rewarding.score(rewarding.Asked(file, model, out, report, told, batch_size, device, seed, json))


prefer = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Make pairs of a better and a worse answer.")
app.add_typer(prefer, name="prefer", epilog=PREFER_EXAMPLES, rich_help_panel=PANEL)


@prefer.command(name="mistakes", epilog=MISTAKES_EXAMPLES)
def prefer_mistakes(
    file: Rows,
    out: PairsOut,
    engine: Engine = None,
    model: AskedModel = None,
    samples: Annotated[int, typer.Option(min=1, help="Answers to each row; several need a temperature.")] = 1,
    temperature: Temperature = 0.0,
    top_p: TopP = 1.0,
    top_k: TopK = 0,
    measure: Annotated[
        str | None, typer.Option(help="What says that an answer is wrong; any difference, or token_f1 of questions.")
    ] = None,
    below: Annotated[float | None, typer.Option(help="An answer that scores less by --measure is wrong.")] = None,
    unfinished: Annotated[bool, typer.Option("--unfinished", help="Take answers that were cut off too.")] = False,
    empty: Annotated[bool, typer.Option("--empty", help="Take answers without a text too.")] = False,
    most: Annotated[int | None, typer.Option(min=1, help="Take so many pairs at most, the hardest.")] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="Draw so many rows of the file.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of drawn rows and tokens.")] = 0,
    fields: FieldsOption = None,
    encoding: Encoding = "utf-8",
    template: Template = None,
    aligned: Aligned = None,
    max_new_tokens: RoomFor = None,
    batch_size: BatchSize = 16,
    device: Device = None,
    ledger: Ledger = None,
    json: Json = False,
) -> None:
    """From a model's own mistakes: the right answer before what it wrote, the hardest first."""
    from hanpuri.cli import choosing, preferring
    from hanpuri.cli.drawing import Questions

    choice = choosing.Choice(engine, model, template, aligned=aligned, device=device)
    questions = Questions(
        file,
        choice,
        samples=samples,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        rows=rows,
        seed=seed,
        fields=tuple(fields or ()),
        encoding=encoding,
    )
    output = preferring.Output(out, ledger, json)
    preferring.mistakes(questions, output, measure=measure, below=below, unfinished=unfinished, empty=empty, most=most)


@prefer.command(name="scores", epilog=SCORES_EXAMPLES)
def prefer_scores(
    file: Annotated[Path, typer.Argument(help="What `hanpuri sample` wrote.")],
    out: PairsOut,
    margin: Annotated[float, typer.Option(min=0, help="How far apart the scores of a pair are at least.")] = 0.1,
    pairs: Annotated[str, typer.Option(help="best-worst, best-median or all.")] = "best-worst",
    ledger: Ledger = None,
    json: Json = False,
) -> None:
    """From sampled answers: the one with the higher score before the other."""
    from hanpuri.cli import preferring

    preferring.scores(file, preferring.Output(out, ledger, json), margin=margin, which=pairs)


@prefer.command(name="corrections", epilog=CORRECTIONS_EXAMPLES)
def prefer_corrections(
    file: Annotated[Path, typer.Argument(help="JSONL of noisy, restored, corrected, as the service exports it.")],
    out: PairsOut,
    faults: Annotated[str, typer.Option(help="error stops at faulty lines, drop counts them and goes on.")] = "error",
    apart: Annotated[Path | None, typer.Option(help="Write what people do not agree on here (JSONL).")] = None,
    ledger: Ledger = None,
    json: Json = False,
) -> None:
    """From people's corrections: what they wrote before what hanpuri had restored."""
    from hanpuri.cli import preferring

    preferring.corrections(file, preferring.Output(out, ledger, json), faults=faults, apart=apart)


@prefer.command(name="judge", epilog=JUDGE_EXAMPLES)
def prefer_judge(
    file: Annotated[Path, typer.Argument(help="What `hanpuri sample` wrote, or preference rows to be judged anew.")],
    judge: Annotated[str, typer.Option(help="A recipe file of `kind: judge`, or the name of a shipped one.")],
    out: PairsOut,
    set: Annotated[list[str] | None, typer.Option(help="Override a key, such as orders=one.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="What people say of pairs (JSONL): how far the judge can be trusted.")
    ] = None,
    pairs: Annotated[
        str, typer.Option(help="Of samples: best, the best answer against each other one, or all against all.")
    ] = "best",
    most: Annotated[int, typer.Option(min=1, help="Of samples: so many pairs of one question at most.")] = 4,
    rows: Annotated[int | None, typer.Option(min=1, help="Judge only the first so many pairs.")] = None,
    confirmed: Annotated[
        bool, typer.Option("--confirmed", help="Of preference rows: leave out where the judge takes the other side.")
    ] = False,
    writer: Annotated[
        str | None,
        typer.Option(metavar="NAME[:MODEL]", help="The engine that wrote the answers: is it the judge itself?"),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Write what was said of each pair here (JSONL); beside --out, if not given.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="A folder for a page and JSON of agreement, biases, pairs to read.")
    ] = None,
    json: Json = False,
) -> None:
    """From a judge: a model with a rubric says which answer is better, asked both ways round."""
    from hanpuri.cli import judging

    asked = judging.Asked(
        file,
        judge,
        tuple(set or ()),
        labels=labels,
        which=pairs,
        most=most,
        rows=rows,
        writer=writer,
        confirmed=confirmed,
    )
    judging.run(asked, judging.Output(out, ledger, report, json))


@app.command(epilog=SAMPLE_EXAMPLES, rich_help_panel=PANEL)
def sample(
    file: Rows,
    out: Annotated[Path, typer.Option(help="Write all answers with their scores here (JSONL).")],
    score: Annotated[
        list[str],
        typer.Option(
            metavar="REWARD[*WEIGHT]",
            help="char_accuracy, model:runs/reward, function:mine.py:kind, judge:judge.yaml; several are added up.",
        ),
    ],
    engine: Engine = None,
    model: AskedModel = None,
    samples: Annotated[int, typer.Option(min=1, help="Answers to each row.")] = 8,
    temperature: Temperature = 0.8,
    top_p: TopP = 1.0,
    top_k: TopK = 0,
    greedy: Annotated[bool, typer.Option("--greedy/--no-greedy", help="Ask for the likeliest answer too.")] = True,
    best: Annotated[Path | None, typer.Option(help="Write the best answer of each row here, to fine-tune on.")] = None,
    above: Annotated[float | None, typer.Option(help="The score from which on an answer is good enough.")] = None,
    min_gain: Annotated[
        float, typer.Option(min=0, help="Leave out of --best what is not so much better than the greedy answer.")
    ] = 0.0,
    report: Annotated[Path | None, typer.Option(help="A folder for a page and JSON of what each answer gains.")] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="Draw so many rows of the file.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of drawn rows, tokens and intervals.")] = 0,
    fields: FieldsOption = None,
    encoding: Encoding = "utf-8",
    template: Template = None,
    aligned: Aligned = None,
    max_new_tokens: RoomFor = None,
    batch_size: BatchSize = 16,
    device: Device = None,
    json: Json = False,
) -> None:
    """Several answers to each row, scored; the best are kept, and what each further one gains is told."""
    from hanpuri.cli import choosing, sampling
    from hanpuri.cli.drawing import Questions

    choice = choosing.Choice(engine, model, template, aligned=aligned, device=device)
    questions = Questions(
        file,
        choice,
        samples=samples,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        rows=rows,
        seed=seed,
        fields=tuple(fields or ()),
        encoding=encoding,
    )
    wanted = sampling.Wanted(
        out, tuple(score), best=best, above=above, min_gain=min_gain, report=report, greedy=greedy, as_json=json
    )
    sampling.run(questions, wanted)
