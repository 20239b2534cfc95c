"""
A row as it is sent, and its answer as it is read.

In: {"noisy": "념뭄"}, and later Reply("너무", 4, 41, finished=True). Out: the whole request, and the Answer:

    {"model": "qwen3", "messages": […], "max_tokens": 28, "temperature": 0.0}   ─►   Answer("너무", 3, finished=True, …)
"""

from dataclasses import dataclass, replace

from hanpuri.data.templates import Fields
from hanpuri.data.tokenizers import REPLACEMENT
from hanpuri.engines.alignment import Pattern, make_pattern
from hanpuri.engines.base import Answer, Decoding
from hanpuri.engines.servers.asking import ending, holding, sampling
from hanpuri.engines.servers.faults import TOLD, Fault
from hanpuri.engines.servers.finding import Served
from hanpuri.engines.servers.replies import Reply
from hanpuri.engines.servers.ways import Body, Way
from hanpuri.engines.settings import Aligned, Grammar
from hanpuri.training.decoding import Ends
from hanpuri.training.prompting import Prompting


@dataclass(frozen=True, slots=True)
class Asked:
    """A row as it is sent, and how its answer is read. Made by `write_row`."""

    body: Body
    ends: Ends
    pattern: Pattern | None
    """What the answer may be, where the server is held to it."""
    prompting: Prompting | None
    counts_end: bool
    """Whether the server counts the token that ends an answer, too."""

    @property
    def endings(self) -> tuple[str, ...]:
        """Texts that may still be taken off the end of an answer that grows."""
        return (*self.ends.texts, self.prompting.after if self.prompting else "")

    def answer_of(self, text: str) -> str:
        """Take off what stands around an answer."""
        cut = self.ends.cut(text)
        text = text if cut is None else cut
        return self.prompting.answer_of(text) if self.prompting else text

    def read(self, reply: Reply, num_tries: int) -> Answer:
        """Read the answer; one that does not fit the grammar is none."""
        text = self.answer_of(reply.text)
        finished = reply.finished or self.ends.cut(reply.text) is not None
        num_broken = 0 if finished else len(text) - len(text.rstrip(REPLACEMENT))
        text = text[: len(text) - num_broken]
        if self.pattern is not None and finished and not self.pattern.matches(text):
            lapse = "the server did not keep to the grammar"
            return Answer.failed(f"{lapse}: it wrote {text[:TOLD]!r}", num_tries, cause=lapse)
        num_tokens = max(0, reply.num_tokens - (finished and self.counts_end))
        return Answer(
            text,
            num_tokens,
            finished,
            num_broken,
            num_prompt_tokens=reply.num_prompt_tokens,
            num_tries=num_tries,
        )


def write_row(
    row: Fields,
    name: str,
    decoding: Decoding,
    served: Served,
    way: Way,
    aligned: Aligned = "off",
    grammar: Grammar | None = None,
    max_tokens_name: str = "max_tokens",
) -> Asked:
    """
    Write a row as it is sent.

    Raises:
        DataError: if it has no question.
        Fault: if its prompt leaves no room for an answer, as far as this can be counted here.
    """
    body = {"model": served.model, **way.body(row, name)}
    if served.positions is not None:  # vLLM refuses to be asked for more than it has
        room = served.positions - (len(body["prompt"]) if way.tokenizer is not None else 0)
        if room <= 0:
            found = f"{len(body['prompt']):,} tokens of {served.positions:,} at most"
            raise Fault(f"the prompt is too long: {found}", "row")
        decoding = replace(decoding, max_new_tokens=min(room, decoding.max_new_tokens))
    body |= sampling(decoding, served.kind, max_tokens_name)
    prompting, counts_end = way.prompting, served.kind in ("vllm", "llamacpp")
    if grammar is None:
        stops, ends = ending(decoding, way, served.kind)
        return Asked(body | stops, ends, None, prompting, counts_end)
    pattern = make_pattern(row["noisy"], aligned, name=name)  # it says where the answer ends, too
    return Asked(body | holding(pattern, grammar, prompting), Ends(), pattern, prompting, counts_end)
