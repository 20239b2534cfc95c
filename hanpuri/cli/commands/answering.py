"""Commands that ask a model: ask, chat."""

from typing import Annotated

import typer

from hanpuri.cli.options import (
    Aligned,
    AskedModel,
    Device,
    Encoding,
    Engine,
    File,
    Format,
    FourBit,
    Json,
    MaxNewTokens,
    Out,
    Seed,
    Stop,
    System,
    Temperature,
    Template,
    TopK,
    TopP,
)

app = typer.Typer(rich_markup_mode="rich")
PANEL = "Ask"

ASK_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri ask "한강은 어디로 흐르나요?" --model runs/cpu-tiny-chatbot

  hanpuri ask --file questions.jsonl --field question --out answers.jsonl --model runs/faq

  hanpuri ask "확잠실읾 념뭄 잙앙욤" --engine compact:base

  hanpuri ask "한 문장으로 소개해 줘" --engine openai:http://127.0.0.1:8000/v1 --json

  cat questions.txt | hanpuri ask --model model.gguf --json
"""
CHAT_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri chat runs/cpu-tiny-chatbot

  hanpuri chat models/qwen3 --system "한 문장으로 답하세요." --temperature 0.7

  hanpuri chat --engine openai:http://127.0.0.1:8000/v1

  hanpuri chat --engine llamacpp --model model.gguf
"""


@app.command(epilog=ASK_EXAMPLES, rich_help_panel=PANEL)
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
    from hanpuri.cli import asking, choosing
    from hanpuri.engines.base import Decoding

    choice = choosing.Choice(engine, model, template, system, aligned, four_bit, device)
    decoding = Decoding(max_new_tokens, temperature, top_p, top_k, tuple(stop or ()), seed, batch_size)
    given = asking.Given(tuple(question or ()), file, out, field, into, encoding, format, json)
    asking.run(choice, given, decoding)


@app.command(epilog=CHAT_EXAMPLES, rich_help_panel=PANEL)
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
    from hanpuri.cli import chatting, choosing
    from hanpuri.engines.base import Decoding

    engine, model = choosing.choose(name, engine, model)
    choice = choosing.Choice(engine, model, template, system, aligned, four_bit, device)
    decoding = Decoding(max_new_tokens, temperature, top_p, top_k, tuple(stop or ()), seed)
    chatting.run(choice, decoding)
