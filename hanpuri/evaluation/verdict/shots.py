"""
Solved examples before a question (k-shot), for an engine of either kind of template.

In: a pool of training rows, and how many. Out: the same examples for every candidate, short and long ones:

    a chat template      earlier turns: user 쨰밌어요, assistant 재밌어요, user 확잠실읾
    a plain template     blocks of its own text before the prompt, an empty line between two of them

What ends a block ends an answer too: a model that was shown blocks goes on with the next one.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hanpuri.data.chats import ChatTemplate
from hanpuri.data.templates import CHAT, Fields, Template, load_template, parse_placeholders
from hanpuri.engines.base import GREEDY, Answer, Decoding, Engine
from hanpuri.engines.servers.ways import messages_of
from hanpuri.engines.settings import EngineSettings
from hanpuri.evaluation.verdict.material import Example, solved

BETWEEN = "\n\n"


def draw_shots(pool: Sequence[Example], count: int, seed: int) -> tuple[Example, ...]:
    """
    Draw examples: one of each of `count` parts of the pool, from the shortest rows to the longest, then shuffled.

        >>> pool = [Example({"noisy": "가" * length}, "나") for length in range(1, 9)]
        >>> sorted(len(shot.fields["noisy"]) for shot in draw_shots(pool, 2, seed=0))
        [2, 8]

    Raises:
        ValueError: if the pool holds fewer.
    """
    if count > len(pool):
        raise ValueError(f"found {len(pool)} rows to draw {count} examples from")
    dice = random.Random(f"{seed} {count}")
    ordered = sorted(pool, key=lambda example: (len(str(example.fields)) + len(example.answer), str(example.fields)))
    cuts = [len(ordered) * part // max(1, count) for part in range(count + 1)]
    chosen = [ordered[dice.randrange(cuts[part], cuts[part + 1])] for part in range(count)]
    dice.shuffle(chosen)
    return tuple(chosen)


class FewShotEngine:
    """An engine that is asked with examples as earlier turns; without examples, as it is."""

    name: str
    identity: str

    def __init__(self, engine: Engine, shots: Sequence[Example]) -> None:
        self.engine, self.shots = engine, tuple(shots)
        self.name, self.identity = engine.name, engine.identity  # the examples stand in each prompt, and so in its key

    def prompt(self, row: Fields, name: str) -> str:
        """Write what the model is given; see `Engine.prompt`."""
        return self.engine.prompt(with_turns(row, self.shots, name), name)

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        """Answer rows; see `Engine.generate`."""
        names = names or [f"row {number}" for number in range(1, len(rows) + 1)]
        wrapped = [with_turns(row, self.shots, name) for row, name in zip(rows, names, strict=True)]
        return self.engine.generate(wrapped, decoding, names=names)


def with_turns(row: Fields, shots: Sequence[Example], name: str) -> Fields:
    """
    Put examples before a question, as turns of a conversation; a system message stays the first.

        >>> shots = [Example({"instruction": "하나 더하기 하나는?", "input": ""}, "둘")]
        >>> [turn["content"] for turn in with_turns({"instruction": "둘 더하기 둘은?"}, shots, "1")["messages"]]
        ['하나 더하기 하나는?', '둘', '둘 더하기 둘은?']
    """
    if not shots:
        return row
    asked = messages_of(row, name)
    system = [turn for turn in asked[:1] if turn["role"] == "system"]
    earlier: list[dict[str, str]] = []
    for shot in shots:
        turns = [turn for turn in messages_of(shot.fields, "an example") if turn["role"] != "system"]
        earlier += [*turns, {"role": "assistant", "content": shot.answer}]
    # Aligned decoding looks for the noisy text itself.
    kept = {"noisy": row["noisy"]} if "noisy" in row else {}
    return {"messages": [*system, *earlier, *asked[len(system) :]], **kept}


def with_blocks(settings: EngineSettings, template: Template, shots: Sequence[Example]) -> EngineSettings:
    """Give an engine examples as blocks of its template's text, before every question."""
    bare = template.model_copy(update={"system": ""})
    system = settings.system or template.system
    blocks = [bare.render(solved(shot.fields, shot.answer), "an example").text.strip("\n") for shot in shots]
    return settings.model_copy(update={"system": BETWEEN.join([system, *blocks] if system else blocks)})


def ending_with_block(decoding: Decoding, template: Template) -> Decoding:
    """
    End answers where the next block would begin.

        >>> ending_with_block(Decoding(), load_template("koalpaca")).stop
        ('\\n\\n### 질문:',)
    """
    prompts = (template.prompt_pairs, template.prompt_input, template.prompt_no_input)
    prompt = next((prompt for prompt in prompts if prompt), "")
    begins = BETWEEN + parse_placeholders(prompt)[0][0].rstrip() if prompt else BETWEEN
    return replace(decoding, stop=tuple(dict.fromkeys((*decoding.stop, begins))))


def plain_template(settings: EngineSettings, engine: Engine) -> Template | None:
    """
    Find the template of blocks that an engine asks with; None if it asks in turns.

    A name that was given says it. Else the engine does: it knows how its model was trained. A server gets messages.
    """
    if settings.template is not None:
        return None if settings.template == CHAT else load_template(settings.template)
    found: Any = getattr(getattr(engine, "prompting", None), "template", None)
    return None if isinstance(found, ChatTemplate) or not isinstance(found, Template) else found
