"""
Who answers at an address: which model, served by what, and whether it does as it is told.

In: http://127.0.0.1:8000/v1, and a model's name or none. Out: Served("qwen3", kind="vllm", positions=8192)

All this is asked before the first row, so that a wrong address, key or model costs one line and not a night.
"""

import difflib
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar, cast, get_args
from urllib.parse import urlsplit

from hanpuri.data.tokenizers import Tokenizer
from hanpuri.engines.alignment import make_pattern
from hanpuri.engines.servers.asking import Kind, holding, sampling
from hanpuri.engines.servers.connection import Connection
from hanpuri.engines.servers.faults import Fault
from hanpuri.engines.servers.patience import Patience
from hanpuri.engines.servers.replies import read_reply
from hanpuri.engines.servers.ways import Way
from hanpuri.engines.settings import EngineSettings, Grammar
from hanpuri.errors import EngineError
from hanpuri.training.decoding import Decoding

OWNERS: dict[str, Kind] = {"vllm": "vllm", "llamacpp": "llamacpp", "library": "ollama"}
"""Who is said to own a model, by the kind of server that says so."""
PROBE = "한글 Hangul 123"
HELD = "?7-7?"
"""What no model answers unless it is held to it."""
LISTED = 5
Result = TypeVar("Result")


@dataclass(frozen=True)
class Served:
    """What answers at an address."""

    model: str
    kind: Kind
    positions: int | None
    """Tokens of prompt and answer at most; None if the server does not tell."""


def read_address(told: str) -> tuple[str, str]:
    """
    Cut an address from the model's name behind it.

        >>> read_address("http://127.0.0.1:8000/v1/#qwen3")
        ('http://127.0.0.1:8000/v1', 'qwen3')

    Raises:
        EngineError: if it is no address, or holds a password.
    """
    address, _, model = told.partition("#")
    parts = urlsplit(address)
    if parts.password or parts.username:
        raise EngineError(
            f"the address of {parts.hostname} holds a user and a password", "put the key into an environment variable"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EngineError(f"found the address {address!r}, expected http://…", "write e.g. http://127.0.0.1:8000/v1")
    return address.rstrip("/").removesuffix("/chat/completions").removesuffix("/completions"), model


def read_key(variable: str) -> str:
    """
    Read the key; "" if there is none, which servers of one's own take.

    Raises:
        EngineError: if it can be none. The key itself is not told.
    """
    if not variable.isidentifier():
        raise EngineError(
            "server.api_key is no name of an environment variable", "put the key into one, and give its name here"
        )
    key = os.environ.get(variable, "").strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise EngineError(f"what stands in {variable} is no key: it holds spaces or signs", "copy the key again")
    return key


async def find_served(connection: Connection, wanted: str) -> Served:
    """
    Ask a server what it serves.

    Args:
        connection: to the server.
        wanted: the model; "" takes the only one.

    Raises:
        EngineError: if it does not answer, or has no such model.
        Fault: if it answers something else.
    """
    listed = await connection.ask("/models")
    models = listed.get("data") if isinstance(listed, dict) else listed
    if not isinstance(models, list):
        raise Fault("found no list of models", "all")
    known = {str(one["id"]): one for one in models if isinstance(one, dict) and "id" in one}
    model = _choose(connection.address, known, wanted)
    about = next((one for id, one in known.items() if _is_same(id, model)), {})
    kind = OWNERS.get(str(about.get("owned_by")), "")
    meta = about.get("meta") if isinstance(about.get("meta"), dict) else {}
    told = about.get("max_model_len") or cast(Any, meta).get("n_ctx")
    return Served(model, kind, told if isinstance(told, int) else None)


async def check_tokens(connection: Connection, served: Served, tokenizer: Tokenizer) -> None:
    """
    See that the server reads the same in our tokens as we do; one that cannot be asked is believed.

    Raises:
        EngineError: if it does not.
    """
    ids = [id for id in tokenizer.encode(PROBE) if id not in tokenizer.special_ids]  # what is unknown is spelled anyhow
    if served.kind not in ("vllm", "llamacpp"):
        return
    root = connection.address.removesuffix("/v1")
    try:
        told = await connection.ask(f"{root}/detokenize", {"model": served.model, "tokens": ids})
    except Fault as fault:
        if fault.status == 404:  # something that stands before the server hides it
            return
        raise
    read = told.get("prompt" if served.kind == "vllm" else "content") if isinstance(told, dict) else None
    if str(read).strip() != tokenizer.decode(ids).strip():
        raise EngineError(
            f"{served.model} reads {str(read)[:40]!r} in the tokens that {tokenizer.name} has for {PROBE!r}",
            "give the tokenizer of this very model",
        )


async def check_held(connection: Connection, served: Served, way: Way, grammar: Grammar | None) -> Grammar:
    """
    Find out how a server takes a grammar, and see that it keeps to it.

    Raises:
        EngineError: if it takes none, or writes something else.
        Fault: if it does not answer.
    """
    chosen = grammar or (cast(Grammar, served.kind) if served.kind in get_args(Grammar) else None)
    if chosen is None:
        raise EngineError(
            f"{connection.address} does not say that it is vLLM or llama.cpp, which take a grammar",
            "set server.grammar if it is one of them, or leave out aligned",
        )
    body: dict[str, Any] = {"model": served.model, **way.body({"noisy": "가"}, "a probe")}
    body |= sampling(Decoding(max_new_tokens=4 * len(HELD)), served.kind)
    body |= holding(make_pattern(HELD, "syllables"), chosen, None)
    wrote = read_reply(await connection.ask(way.path, body)).text
    if wrote != HELD:
        raise EngineError(
            f"{connection.address} does not keep to a grammar: held to {HELD!r}, it wrote {wrote[:40]!r}",
            "serve the model with vLLM or llama.cpp, or leave out aligned",
        )
    return chosen


def settle(settings: EngineSettings, connection: Connection, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """
    Do what has to succeed before the first row; who is busy is asked again, who is not there is not.

    Raises:
        EngineError: if it does not.
    """

    async def once() -> Result:
        try:
            return await work()
        except Fault as fault:
            if fault.status is None:
                fault.scope = "all"
            raise

    async def bear() -> Result:
        return (await Patience(settings.server).bear(once))[0]

    try:
        return connection.run(bear())
    except Fault as fault:
        raise engine_error(settings, fault) from None


def engine_error(settings: EngineSettings, fault: Fault) -> EngineError:
    """Say in one line why no row can be answered."""
    mends = {
        None: "start the server, or check the address",
        401: f"put a key that it takes into the environment variable {settings.server.api_key}",
        403: f"put a key that it takes into the environment variable {settings.server.api_key}",
        404: "check the address, which mostly ends in /v1, and the name of the model",
    }
    return EngineError(f"{settings.name}: {fault.why}", mends.get(fault.status, "see what the server says of it"))


def _choose(address: str, known: dict[str, Any], wanted: str) -> str:
    names = f"{', '.join(list(known)[:LISTED])}{' …' if len(known) > LISTED else ''}" if known else "none"
    if not wanted and len(known) == 1:
        return next(iter(known))
    if not wanted:
        raise EngineError(f"{address} serves {len(known)} models, expected one: {names}", f"name it: {address}#MODEL")
    if not known or any(_is_same(id, wanted) for id in known):
        return wanted
    near = difflib.get_close_matches(wanted, known, n=1)
    raise EngineError(
        f"{address} serves no model {wanted}; it has {names}",
        f"did you mean {address}#{near[0]}?" if near else f"name one of them: {address}#MODEL",
    )


def _is_same(id: str, wanted: str) -> bool:
    """
    Tell whether a listed model is the one: some are listed with a tag or below a folder.

    >>> _is_same("qwen3:latest", "qwen3"), _is_same("models/gemini", "gemini"), _is_same("qwen3-0.6b", "qwen3")
    (True, True, False)
    """
    return wanted in (id, id.removesuffix(":latest"), id.removeprefix("models/"))
