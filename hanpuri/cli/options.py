"""The options that several commands share: the same name and the same words everywhere."""

from pathlib import Path
from typing import Annotated

import typer

Texts = Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts; else --file, else stdin.")]
File = Annotated[str | None, typer.Option(help="Text, CSV, TSV, JSONL or Parquet, also .gz and .xz; - is stdin.")]
Out = Annotated[str | None, typer.Option(help="Write here (beside it first, then renamed) and not to stdout.")]
FieldName = Annotated[str | None, typer.Option("--field", "--column", help="The field or column that holds the text.")]
Encoding = Annotated[str, typer.Option(help="Encoding of the input, such as cp949.")]
Format = Annotated[str | None, typer.Option(help="text, csv, tsv, jsonl or parquet, if the name does not say it.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, to stdout.")]
Model = Annotated[
    str,
    typer.Option(
        help="base, small, or the folder of a trained model; base+small for the mean of both, better and slower."
    ),
]
Reach = Annotated[
    str, typer.Option(help="syllables, which keeps length and spacing; or wide: signs, other scripts, loose letters.")
]
Device = Annotated[str | None, typer.Option(help="cuda or cpu; a GPU if there is one.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Processor threads; all that may be used, if not given.")]
RunsFolder = Annotated[Path, typer.Option("--runs", help="Where run folders are.")]
Engine = Annotated[
    str | None,
    typer.Option(metavar="NAME[:MODEL]", help="echo, compact, transformers, vllm, llamacpp or openai, with its model."),
]
AskedModel = Annotated[
    str | None, typer.Option("--model", help="A run, a model's folder, a .gguf, or a server's address.")
]
Template = Annotated[
    str | None, typer.Option(help="Ask with this template, not the one that the model was trained with.")
]
System = Annotated[str, typer.Option(help="A text before every question.")]
Aligned = Annotated[
    str | None, typer.Option(help="Hold restored text in place: syllables, or the originals of airbnb or hand noise.")
]
FourBit = Annotated[bool, typer.Option("--four-bit", help="Load in 4 bits (nf4).")]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="Tokens of an answer at most.")]
Temperature = Annotated[float, typer.Option(min=0, help="0 takes the likeliest token; 1 draws freely.")]
TopP = Annotated[float, typer.Option(min=0.01, max=1, help="Draw from the likeliest tokens of this share.")]
TopK = Annotated[int, typer.Option(min=0, help="Draw from so many of the likeliest tokens; 0 is all.")]
Stop = Annotated[list[str] | None, typer.Option(help="A text that ends an answer; may be repeated.")]
Seed = Annotated[int, typer.Option(min=0, help="Which of the drawn answers.")]
Rows = Annotated[Path, typer.Argument(help="Noisy/clean pairs, instructions or messages; or a prepared folder.")]
PairsOut = Annotated[Path, typer.Option("--out", help="Write the pairs here (JSONL).")]
Ledger = Annotated[Path | None, typer.Option(help="Write here which row gave nothing, and why (JSONL).")]
FieldsOption = Annotated[
    list[str] | None, typer.Option("--fields", metavar="FIELD=COLUMN", help="A file's own column names: noisy=review.")
]
RoomFor = Annotated[
    int | None,
    typer.Option("--max-new-tokens", min=1, help="Tokens of an answer at most; as the longest text needs, or 256."),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Rows that are answered together.")]
