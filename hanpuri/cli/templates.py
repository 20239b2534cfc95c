"""
`hanpuri templates`: which prompt templates there are, and what one makes of a row.

    $ hanpuri templates show koalpaca --row faq.jsonl:1
    ### 질문: 한강은 어디로 흐르나요?

    ### 답변:⟦ 서해로 흐릅니다.⟧

What stands in ⟦…⟧, on a terminal in colour, is what the model learns to write; its stop token is seen with a
tokenizer.
"""

import json
import sys
from pathlib import Path
from typing import Any

from hanpuri.data.chats import ChatTemplate, TrainOn, choose_template
from hanpuri.data.examples import IGNORE, Example, make_example
from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.records.forms import open_rows
from hanpuri.data.records.records import Record
from hanpuri.data.templates import CHAT, SHIPPED, Fields, Rendered, Template, load_template
from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.errors import DataError, RecipeError

GREEN, PLAIN = "\x1b[32m", "\x1b[0m"
LOST = "\ufffd"
NO_LIMIT = 1 << 30


def list_templates(*, as_json: bool) -> None:
    """Print the shipped templates with their placeholders."""
    templates = [load_template(path.stem) for path in sorted(SHIPPED.glob("*.yaml"))]
    rows = [(one.name, one.description, one.fields) for one in templates]
    rows.append((CHAT, ChatTemplate.description, ChatTemplate.fields))
    for name, description, fields in rows:
        if as_json:
            row = {"name": name, "description": description, "fields": fields}
            print(json.dumps(row, ensure_ascii=False))
        else:
            print(f"{name:<15} {description}\n{'':<15} {', '.join(fields)}")


def show(name: str, row: str, *, tokenizer: str | None, train_on: str, as_json: bool) -> None:
    """Print what a template makes of the row that stands at `row`, "FILE:LINE"."""
    if train_on not in ("all", "last"):
        raise RecipeError(f"--train-on is {train_on!r}", "write all or last")
    loaded = load_tokenizer(tokenizer) if tokenizer else None
    template = choose_template(name, loaded, _train_on(train_on))
    record = find_row(row)
    rendered = template.render(_fitting(record, template), record.where)
    example = make_example(rendered, loaded, ExampleSettings(max_length=NO_LIMIT)) if loaded else None
    if as_json:
        print(json.dumps(_as_json(template, rendered, example, loaded), ensure_ascii=False))
        return
    print(marked(rendered, coloured=sys.stdout.isatty()))
    for note in template.notes:
        print(f"note: {note}", file=sys.stderr)
    if loaded and example:
        print(f"\n{_tokens(example, loaded)}")


def find_row(place: str) -> Record:
    """
    Read the row that begins at a line of a file; its form is the first whose fields the file has.

    Raises:
        DataError: if the place is no "FILE:LINE", the file cannot be read, or no sound row begins at this line.
    """
    path, _, line = place.rpartition(":")
    if not path or not line.isdecimal():
        raise DataError(f"--row is {place!r}, expected a file and a line", "write it as pairs.jsonl:1")
    reading = open_rows(Path(path), faults="drop")
    found = next((one for one in reading.records() if one.where.rpartition(":")[2] == line), None)
    if found is None:
        raise DataError(f"{place}: found no sound row that begins at this line", "name the line of another row")
    return found


def _fitting(record: Record, template: Template | ChatTemplate) -> Fields:
    """Give a row as it is trained on: a preference, to a template that only restores, as a noisy text."""
    fields = record.fields
    prompt = fields.get("prompt")
    restores = isinstance(template, Template) and template.prompt_no_input is None
    if not restores or not isinstance(prompt, str) or "chosen" not in fields or fields.get("input"):
        return fields
    return {"noisy": prompt, "clean": fields["chosen"]}


def marked(rendered: Rendered, *, coloured: bool) -> str:
    """
    Write a rendered row with its trained stretches marked.

        >>> from hanpuri.data.templates import Segment
        >>> marked(Rendered("1", (Segment("질문: ", False), Segment("답", True))), coloured=False)
        '질문: ⟦답⟧'
    """
    begin, end = (GREEN, PLAIN) if coloured else ("⟦", "⟧")
    return "".join(f"{begin}{part.text}{end}" if part.trained else part.text for part in rendered.segments)


def _train_on(value: str) -> TrainOn:
    return "last" if value == "last" else "all"


def _tokens(example: Example, tokenizer: Tokenizer) -> str:
    """Write the tokens as text, "|" between, trained ones marked; 녕×3 is a character of three tokens."""
    shown = []
    ids: list[int] = []
    for id, label in zip(example.input_ids.tolist(), example.labels.tolist(), strict=True):
        ids.append(id)
        text = tokenizer.decode(ids, continues=True).replace("\n", "↵")
        if LOST in text:
            continue  # a piece of a character: with the next ones it becomes a whole
        text += f"×{len(ids)}" if len(ids) > 1 else ""
        shown.append(f"⟦{text}⟧" if label != IGNORE else text)
        ids = []
    shown += [tokenizer.piece(id) for id in ids]
    return f"{'|'.join(shown)}\n{len(example):,} tokens, {example.num_trained:,} trained"


def _as_json(
    template: Template | ChatTemplate, rendered: Rendered, example: Example | None, tokenizer: Tokenizer | None
) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "template": template.name,
        "id": rendered.id,
        "segments": [segment._asdict() for segment in rendered.segments],
        "notes": list(template.notes),
    }
    if example and tokenizer:
        ids = example.input_ids.tolist()
        whole |= {"tokenizer": tokenizer.name, "input_ids": ids, "labels": example.labels.tolist()}
        whole |= {"tokens": [tokenizer.piece(id) for id in ids], "num_trained": example.num_trained}
    return whole
