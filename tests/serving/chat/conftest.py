"""
One service with a chat of every kind, and the official client that asks it.

    talk      transformers: a model that knows two conversations by heart, asked through its chat template
    wild      transformers: one that has learnt nothing and never ends, with room for a million tokens
    single    transformers: the same, asked in a template of single questions
    gguf      llamacpp: the model of `talk`, as a file that came alone: its server is sent the messages
    whole     llamacpp: the same as `hanpuri publish --gguf` lays it out: it is asked as it was trained
    away      openai: a server that does what a test tells it to
    twice     openai: another service of ours, which serves `parrot`, an echo
    held      transformers: `talk` held to a grammar; it restores and does no more
    small     the compact model, which does no more either

All of it is one process, started once: what is slow in it is the import of torch.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.engines.conftest import taught
from tests.engines.gguf_files import write_gguf
from tests.engines.servers import Server, serving
from tests.serving.conftest import Serve, Served

__all__ = ["taught"]

KEY = "sk-upstream-1"
QUEUED = 4
SHORT = "llamacpp.threads=1,llamacpp.context=192,llamacpp.parallel=2"


@dataclass(frozen=True)
class Chatting:
    """The service, and the server that does what it is told."""

    served: Served
    away: Server
    client: openai.OpenAI

    def ask(self, model: str, *said: str, **more: Any) -> Any:
        """Ask with the official client; what is said is by turns of the user and the assistant."""
        return self.client.chat.completions.create(model=model, messages=turns(*said), **more)

    def stream(self, model: str, *said: str, **more: Any) -> list[Any]:
        """Ask for a stream, and give all chunks of it."""
        return list(self.ask(model, *said, stream=True, **more))

    def does(self, *acts: Any) -> Server:
        """Have the server away do these, one request after another."""
        self.away.acts[:] = acts
        self.away.asked.clear()
        self.away.keys.clear()
        return self.away


def turns(*said: str) -> list[dict[str, str]]:
    """Write a conversation that the user begins."""
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(said)]


def text_of(chunks: list[Any]) -> str:
    """Put the pieces of a stream together."""
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


@pytest.fixture(scope="session")
def endless(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Callable[..., Path]) -> Path:
    """A model that has learnt nothing and ends by no token: it writes what it writes, a million tokens long."""
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    from hanpuri.data.tokenizers import load_tokenizer

    folder = tmp_path_factory.mktemp("models") / "endless"
    tokenizer = load_tokenizer(tokenizer_folder("bytes", "bare"))
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
    set_seed(3)
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=tokenizer.vocab_size, max_position_embeddings=1_000_000, eos_token_id=None, **sizes)
    )
    model.save_pretrained(folder)
    tokenizer.fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def alone(taught: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of conversations as a GGUF file, without what `hanpuri publish` lays beside it."""
    return write_gguf(taught("chat"), tmp_path_factory.mktemp("gguf") / "alone.gguf")


@pytest.fixture(scope="session")
def published(taught: Callable[..., Path], alone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with tokenizer and template beside it."""
    folder = tmp_path_factory.mktemp("published") / "whole"
    shutil.copytree(taught("chat"), folder)
    return Path(shutil.copy(alone, folder / "model.gguf"))


@pytest.fixture(scope="session")
def chatting(
    serve: Serve, taught: Callable[..., Path], endless: Path, alone: Path, published: Path
) -> Iterator[Chatting]:
    """Start the service; what of it is a process of llama.cpp ends with it."""
    echoing = serve("--database", "none", "--model", "small", "--engine", "parrot=echo")
    with serving(models=[{"id": "org/hidden-7b", "object": "model", "owned_by": "somebody"}]) as away:
        engines = {
            "talk": f"transformers:{taught('chat')},device=cpu",
            "wild": f"transformers:{endless},device=cpu",
            "single": f"transformers:{endless},device=cpu,template=koalpaca",
            "held": f"transformers:{taught('chat')},device=cpu,aligned=hand",
            "gguf": f"llamacpp:{alone},{SHORT}",
            "whole": f"llamacpp:{published},{SHORT}",
            "away": f"openai:{away.address},server.timeout_seconds=2,server.concurrency=2",
            "twice": f"openai:{echoing.url}/v1#parrot",
        }
        told = [part for name, line in engines.items() for part in ("--engine", f"{name}={line}")]
        limits = "--database", "none", "--model", "small", "--max-queued-requests", str(QUEUED)
        served = serve(*limits, *told, environment={"OPENAI_API_KEY": KEY, "OMP_NUM_THREADS": "1"})
        with openai.OpenAI(base_url=f"{served.url}/v1", api_key="sk-client", max_retries=0, timeout=60) as client:
            yield Chatting(served, away, client)
