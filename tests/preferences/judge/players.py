"""
Judges that go by a rule: what a server answers to what our client really sends.

In: a request with a question, [답 A] and [답 B] between fences. Out: a reply by the rule:

    by_syllables({"쨰밌어요": "재밌어요"})   the answer with fewer wrong syllables
    always("A")                              whatever stands first
    by_length                                the longer answer
"""

import re
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler

from tests.engines.servers import QUICK, Act, Body, Server, completion, send

FENCED = re.compile(r"\[(질문|답 A|답 B|답)\]\n(`{3,})\n(.*?)\n\2(?:\n|$)", re.DOTALL)
RUBRIC = "바르게 되돌린 답이 낫습니다."


def texts_of(body: Body) -> dict[str, str]:
    """Take question and answers out of a request, as a judge reads them."""
    asked = body["messages"][-1]["content"]
    return {name: text for name, _, text in FENCED.findall(asked)}


def says(rule: Callable[[dict[str, str]], str]) -> Act:
    """Reply with what a rule makes of the texts."""

    def act(handler: BaseHTTPRequestHandler, body: Body) -> None:
        send(handler, 200, completion(rule(texts_of(body))))

    return act


def wrong(answer: str, clean: str) -> int:
    return sum(one != other for one, other in zip(answer, clean, strict=False)) + abs(len(answer) - len(clean))


def by_syllables(clean: Mapping[str, str]) -> Act:
    """Take the answer with fewer wrong syllables; mark by the share of right ones."""

    def rule(texts: dict[str, str]) -> str:
        right = clean[texts["질문"]]
        if "답" in texts:
            return f"점수: {max(0, 10 - wrong(texts['답'], right))}"
        first, second = wrong(texts["답 A"], right), wrong(texts["답 B"], right)
        verdict = "비김" if first == second else "A" if first < second else "B"
        return f"틀린 음절이 {first}개와 {second}개입니다.\n판정: {verdict}"

    return says(rule)


def always(letter: str) -> Act:
    """Take the same place, whatever stands there."""
    return says(lambda texts: f"판정: {letter}")


by_length = says(lambda texts: f"판정: {'A' if len(texts['답 A']) > len(texts['답 B']) else 'B'}")


def recipe_of(server: Server, **more: object) -> dict[str, object]:
    """Write the recipe of a judge at this server that waits little."""
    engine = f"openai:{server.address}#tiny,{QUICK}"
    quick = {"tries": 2, "pause_seconds": 0}
    return {"kind": "judge", "name": "tiny", "engine": engine, "rubric": RUBRIC, "retry": quick, **more}
