"""The command that tunes a shipped restorer on a user's own texts: adapt."""

from pathlib import Path
from typing import Annotated

import typer

from hanpuri.cli.options import Device, Encoding, FieldName, Format, Json, Threads

app = typer.Typer(rich_markup_mode="rich")
PANEL = "Train"

EXAMPLES = """
[bold]Examples[/bold]

  hanpuri adapt --texts reviews.txt --out my-model

  hanpuri adapt --texts reviews.csv --column review --out my-model --minutes 10

  hanpuri adapt --texts a.txt --texts b.jsonl --base small --out my-small

  hanpuri restore --model my-model "확잠실읾 념뭄 잙앙욤"
"""


@app.command(epilog=EXAMPLES, rich_help_panel=PANEL)
def adapt(
    texts: Annotated[
        list[str], typer.Option(help="Clean sentences: text, CSV, TSV, JSONL or Parquet; may be repeated.")
    ],
    out: Annotated[Path, typer.Option(help="The folder of the new model.")],
    field: FieldName = None,
    base: Annotated[str, typer.Option(help="Begin from base, small, or the folder of a trained model.")] = "base",
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Time for all of it; 25 on a CPU, 5 on a GPU, less for few texts.")
    ] = None,
    share: Annotated[
        float | None, typer.Option(min=0.01, max=1, help="How far to go from the old weights to the learnt ones.")
    ] = None,
    passes: Annotated[float | None, typer.Option(min=0.1, help="How often to go through the texts at most.")] = None,
    general: Annotated[
        Path | None, typer.Option(help="Other clean text to mix in, .txt or .txt.xz: less is forgotten.")
    ] = None,
    phrases: Annotated[
        bool, typer.Option(help="Put what the texts say again and again beside the weights, as hashes and counts.")
    ] = True,
    keep: Annotated[bool, typer.Option("--keep", help="Write the model though it does not help.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Which texts are kept apart, which noise.")] = 0,
    encoding: Encoding = "utf-8",
    format: Format = None,
    device: Device = None,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Tune the restorer on clean sentences of your own; no pairs needed, minutes on a GPU, half an hour without."""
    from hanpuri.cli import adapting

    asked = {"minutes": minutes, "share": share, "passes": passes, "phrases": phrases, "seed": seed}
    adapting.adapt(
        adapting.Files(tuple(texts), field, encoding, format),
        out,
        base=base,
        settings={name: value for name, value in asked.items() if value is not None},
        general=general,
        device=device,
        threads=threads,
        keep=keep,
        as_json=json,
    )
