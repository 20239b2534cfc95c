"""
What a row asks, whatever its form: the text that a person would type; and back, the row that asks a text.

In:  {"noisy": "확잠실읾"}, {"instruction": "요약해 줘", "input": "긴 글"} or {"messages": […]}.
Out: "확잠실읾", the instruction with its input below, the last question of the conversation.
"""

from hanpuri.data.templates import Fields
from hanpuri.engines.base import Engine, PromptedEngine, RestoringEngine
from hanpuri.errors import DataError


def question_of(row: Fields, name: str) -> str:
    """
    Give what a row asks.

        >>> question_of({"instruction": "요약해 줘", "input": "긴 글"}, "row 1")
        '요약해 줘\\n\\n긴 글'

    Raises:
        DataError: if it holds no question.
    """
    if isinstance(noisy := row.get("noisy"), str):
        return noisy
    if isinstance(messages := row.get("messages"), list | tuple) and messages:
        asked = [turn["content"] for turn in messages if turn.get("role") == "user"]
        if asked:
            return str(asked[-1])
    parts = [str(row.get(field) or "") for field in ("instruction", "input", "prompt", "text")]
    if not any(parts):
        found = f"{name}: found the fields {', '.join(row)}, expected a question"
        raise DataError(found, "give noisy, instruction, messages, prompt or text")
    return "\n\n".join(part for part in parts if part)


def row_that_asks(engine: Engine, text: str, context: str = "") -> Fields:
    """
    Give the row that asks an engine a text: a noisy text where it restores, an instruction elsewhere.

    Args:
        engine: who is asked.
        text: what is asked.
        context: what it is asked about, where the engine has room for it.
    """
    if isinstance(engine, PromptedEngine) and engine.prompting is not None:
        return engine.prompting.question(text, context)
    if isinstance(engine, RestoringEngine):
        return {"noisy": text}
    return {"instruction": text, "input": context}
