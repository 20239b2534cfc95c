"""`hanpuri serve` in front of vLLM: its server behind a proxy of ours, and vLLM itself in the service's process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest

from tests.serving.conftest import Serve, serve

__all__ = ["serve"]

QUESTION = [{"role": "user", "content": "주차장이 있나요?"}]
TOLD = {"messages": QUESTION, "temperature": 0, "max_tokens": 12}
MODELS = ("behind", "inside")


@pytest.fixture(scope="module")
def client(serve: Serve, server: Callable[[], str], untrained: Callable[..., Path]) -> Iterator[openai.OpenAI]:
    inside = f"inside=vllm:{untrained('bytes', 'chatml')},vllm.max_length=128,vllm.max_num_seqs=2"
    engines = ("--engine", f"behind=openai:{server()}", "--engine", inside)
    served = serve("--database", "none", "--model", "small", *engines)
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0, timeout=120) as client:
        yield client


def text_of(chunks: list[object]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


@pytest.mark.parametrize("model", MODELS)
def test_a_stream_says_what_is_said_without_one(client: openai.OpenAI, model: str) -> None:
    whole = client.chat.completions.create(model=model, **TOLD)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(client.chat.completions.create(model=model, **TOLD, **options))
    assert text_of(chunks) == whole.choices[0].message.content
    assert {chunk.model for chunk in chunks} == {whole.model} == {model}
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens
    assert whole.choices[0].finish_reason in ("stop", "length")


@pytest.mark.parametrize("model", MODELS)
def test_a_conversation_that_is_too_long_is_refused(client: openai.OpenAI, model: str) -> None:
    long = [{"role": "user", "content": "긴 이야기입니다. " * 300}]
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model=model, messages=long, max_tokens=4, stream=True)
    assert (error.value.code, error.value.param) == ("context_length_exceeded", "messages")


def test_what_vllm_refuses_is_told_in_its_words_and_our_names(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model="behind", **TOLD, logit_bias={"99999999": 1})
    assert "99999999" in error.value.body["message"]
    assert "taught" not in error.value.response.text


def test_vllm_does_what_no_engine_of_ours_does(client: openai.OpenAI) -> None:
    told = client.chat.completions.create(model="behind", **TOLD, logprobs=True, top_logprobs=2)
    assert len(told.choices[0].logprobs.content[0].top_logprobs) == 2
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model="inside", **TOLD, logprobs=True)
    assert error.value.body["message"] == "logprobs: inside does not take it"
