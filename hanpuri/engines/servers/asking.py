"""
How a server is to answer: how tokens are chosen, what ends an answer, what it may be.

In: Decoding(max_new_tokens=28, temperature=0.7). Out: the part of a request that says so:

    {"max_tokens": 28, "temperature": 0.7, "top_p": 1.0, "seed": 0}

Servers have habits of their own: llama.cpp draws from 40 tokens, vLLM takes penalties out of a model's folder. Where
the kind of the server is known, these are put out, so that the same settings mean the same everywhere.
"""

from collections.abc import Mapping
from typing import Literal

from hanpuri.engines.alignment import Pattern
from hanpuri.engines.base import Decoding
from hanpuri.engines.servers.ways import Body, Way
from hanpuri.engines.settings import Grammar
from hanpuri.errors import EngineError
from hanpuri.training.decoding import Ends
from hanpuri.training.prompting import Prompting

Kind = Literal["vllm", "llamacpp", "ollama", ""]

# What each server would do of its own accord, put out; `top_k` among it, as each calls "all tokens".
HABITS: Mapping[str, Body] = {
    "vllm": {"repetition_penalty": 1.0, "min_p": 0.0, "top_k": -1},
    "llamacpp": {"repeat_penalty": 1.0, "samplers": ["temperature", "top_k", "top_p"], "top_k": 0},
}
SEEDS = 2**32 - 1
"""llama.cpp takes fewer seeds than there are numbers; the last means a random one."""


def sampling(decoding: Decoding, kind: Kind, max_tokens_name: str = "max_tokens") -> Body:
    """
    Say how tokens are chosen, in the words of a kind of server.

        >>> sampling(Decoding(max_new_tokens=9, temperature=0.7, top_p=0.9), "")
        {'max_tokens': 9, 'temperature': 0.7, 'top_p': 0.9, 'seed': 0}

    Raises:
        EngineError: if this kind of server is known to leave out a setting without a word.
    """
    if decoding.top_k and kind == "ollama":
        raise EngineError("ollama takes no top_k in this protocol", "leave it out, or set it in the Modelfile")
    body = {max_tokens_name: decoding.max_new_tokens, "temperature": decoding.temperature, **HABITS.get(kind, {})}
    if decoding.temperature:  # without it nothing is drawn, and hosted servers refuse what they do not know
        body |= {"top_p": decoding.top_p, "seed": decoding.seed % SEEDS}
    if decoding.top_k:
        body["top_k"] = decoding.top_k
    return body


def ending(decoding: Decoding, way: Way, kind: Kind) -> tuple[Body, Ends]:
    """Say what ends an answer: to the server, and for what it may leave to us."""
    prompting, tokenizer = way.prompting, way.tokenizer
    before, stop = (prompting.before, prompting.stop_text) if prompting else ("", "")
    texts = tuple(dict.fromkeys([*decoding.stop, *filter(None, [stop])]))
    told = [text for text in texts if text not in before]  # in there it would end the answer before it begins
    body: Body = {}
    if prompting and tokenizer and kind == "vllm":
        body["stop_token_ids"] = list(prompting.stop_ids)
    if prompting and tokenizer and kind == "llamacpp":  # it knows tokens that end an answer by their names alone
        body["preserved_tokens"] = [tokenizer.piece(id) for id in prompting.stop_ids]
        told += body["preserved_tokens"]
    return (body | {"stop": told} if told else body), Ends(texts=texts, before=before)


def holding(pattern: Pattern, grammar: Grammar, prompting: Prompting | None) -> Body:
    """
    Say what an answer may be, in the words of a kind of server.

        >>> from hanpuri.engines.alignment import make_pattern
        >>> holding(make_pattern("념뭄!", "syllables"), "llamacpp", None)
        {'grammar': 'root ::= [가-힣] [가-힣] "!"'}
    """
    around = (prompting.before, prompting.after) if prompting else ("", "")
    if grammar == "vllm":
        return {"structured_outputs": {"regex": pattern.regex(*around)}}
    return {"grammar": pattern.gbnf(*around)}
