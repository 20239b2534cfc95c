"""
Rows as a model is asked them, with an answer in its place: what learning from answers and scoring them begin with.

In: a prompt and how a model is asked. Out: the row that asks it, the row with an answer, and both as text. Of a model
that restores pairs, and of one with a chat template:

    "념뭄 좋핬써욘"             ─►  {"noisy": "념뭄 좋핬써욘"}  ─►  {"noisy": …, "clean": "너무 좋았어요"}
    [{"role": "user", …}, …]  ─►  {"messages": […]}          ─►  {"messages": […, {"role": "assistant", …}]}
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hanpuri.data.chats import ChatTemplate
from hanpuri.data.recipe import Form
from hanpuri.data.rows import form_of
from hanpuri.data.templates import Fields, Rendered, Segment
from hanpuri.errors import DataError
from hanpuri.training.prompting import Prompting

Message = Mapping[str, Any]
ANSWERS: Mapping[Form, str] = {"pairs": "clean", "instruction": "output", "preference": "chosen", "text": "text"}


def asked_row(prompt: str | Sequence[Message], input: str, prompting: Prompting) -> Fields:
    """
    Give the row that asks a prompt of a preference, as the model was trained to be asked.

        >>> from hanpuri.data.templates import load_template
        >>> restoring = Prompting(load_template("restoration"), (0,), "", "", "", "", "", form="pairs")
        >>> asked_row("념뭄 좋핬써욘", "", restoring)
        {'noisy': '념뭄 좋핬써욘'}

    Args:
        prompt: a text, or the messages of a conversation that ends with a question.
        input: what the text is about; "" if there is none.
        prompting: how the model is asked.

    Raises:
        DataError: if the model cannot be asked so; the message names no row.
    """
    if not isinstance(prompt, str):
        return _conversation(prompt, input, prompting)
    row = prompting.question(prompt, input)
    if input and ("noisy" in row or "text" in row):
        found = "found an input beside the prompt, expected a prompt alone: the model was not trained to be asked both"
        raise DataError(found, "write the text to restore as `prompt`, and leave `input` out")
    return row


def answered_row(row: Fields, answer: str) -> Fields:
    """
    Give the same row with an answer in its place; what stood there is gone.

        >>> answered_row({"noisy": "념뭄", "clean": "너무"}, "나무")
        {'noisy': '념뭄', 'clean': '나무'}

    Raises:
        DataError: if the row has the fields of no form.
    """
    form = form_of(row, "the row", asked=True)
    if form != "messages":
        # A row of a preference is none without its other side.
        return {**row, ANSWERS[form]: answer, **({"rejected": ""} if form == "preference" else {})}
    turns = list(row["messages"])
    asked = turns[:-1] if turns and turns[-1]["role"] == "assistant" else turns
    return {**row, "messages": [*asked, {"role": "assistant", "content": answer}]}


def answered(prompting: Prompting, row: Fields, answer: str, name: str, *, may_be_empty: bool = False) -> Rendered:
    """
    Write a row with an answer as training does; of a conversation, the last answer alone is to be learnt.

        >>> from hanpuri.data.templates import load_template
        >>> prompting = Prompting(load_template("koalpaca"), (0,), "", " ", "", "", "")
        >>> answered(prompting, {"instruction": "바다가 보이나요?", "input": ""}, "네.", "row 1").segments[-1]
        Segment(text=' 네.', trained=True)

    Args:
        prompting: how the model is asked.
        row: of any form; what it holds of an answer is not looked at.
        answer: the text.
        name: how an error names the row.
        may_be_empty: an answer of nothing but white space is one that ends at once; else no example is made of it.

    Raises:
        DataError: if the row does not fit the template.
    """
    template = prompting.asking
    if may_be_empty and not answer.strip():
        answer = ""
    if form_of(row, name, asked=True) == prompting.form == "text":  # running text: the answer goes on with it
        prompt = prompting.prompt(row, name)
        segments = (*prompt.segments, *([Segment(answer, True)] if answer else []))
        rendered = replace(prompt, segments=segments, row_texts=(*prompt.row_texts, answer))
        return replace(rendered, ends_at_once=may_be_empty and not answer)
    if isinstance(template, ChatTemplate):
        template = replace(template, train_on="last")
    rendered = template.render(answered_row(row, answer), name)
    if answer or not may_be_empty:
        return rendered
    if isinstance(template, ChatTemplate):
        *before, end = rendered.segments
        segments = (*before, end._replace(trained=True))
    else:
        segments = (*rendered.segments, *([Segment(template.stop, True)] if template.stop else []))
    return replace(rendered, segments=segments, ends_at_once=True)


def _conversation(prompt: Sequence[Message], input: str, prompting: Prompting) -> Fields:
    if len(prompt) == 1 and prompt[0]["role"] == "user":
        return asked_row(str(prompt[0]["content"]), input, prompting)
    if input:
        raise DataError("found an input beside a conversation, expected messages alone", "write it into the last one")
    if prompting.form in ("pairs", "text") or "noisy" in prompting.question("?"):
        found = "found a conversation, expected a text: the model was trained on single ones"
        raise DataError(found, "give each prompt as a text")
    return {"messages": [dict(message) for message in prompt]}
