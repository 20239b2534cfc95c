"""
What all tests share: tokenizers of the kinds that Korean models have, trained here on a few sentences, chat templates
of the known kinds, a browser.

In: our own sentences. Out: folders as a model has them; `tokenizer_of("bytes")` loads one. Property tests draw the same
examples on every machine, so that no test fails by chance.
"""

import gc
import io
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sentencepiece
from hypothesis import settings
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from hanpuri.data.tokenizers import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from xdist.scheduler import LoadScopeScheduling

settings.register_profile("hanpuri", derandomize=True, deadline=None)
settings.load_profile("hanpuri")

# A shell starts what runs in the background deaf to ctrl-C, and every process below would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

SENTENCES = (Path(__file__).parent / "cases" / "sentences.txt").read_text(encoding="utf-8").splitlines()
KINDS = ("bytes", "unigram", "legacy", "characters")

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# The same with the marks that some trainers need, and we do not.
GENERATION = CHATML.replace("{{ m['content'] }}", "{% generation %}{{ m['content'] }}{% endgeneration %}")
# Written with its own bos, contents trimmed.
LLAMA = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
# The assistant is called model, and nobody may be system.
GEMMA = (
    "{{ bos_token }}"
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
# Thoughts are written in the last turn alone, and taken out of the earlier ones.
QWEN3 = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['role'] == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Asks with the beginning of a thought, and writes answers without one.
THINKING = CHATML.replace("assistant\n{% endif", "assistant\n<think>\n{% endif")
# Nothing ends a turn but a line end.
BARE = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
CHATS = {
    "chatml": CHATML,
    "generation": GENERATION,
    "llama": LLAMA,
    "gemma": GEMMA,
    "qwen3": QWEN3,
    "thinking": THINKING,
    "bare": BARE,
}

MARKS = ("<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>", *MARKS, "<start_of_turn>", "<end_of_turn>"]


def train_bytes() -> Backend:
    """Byte-level BPE as in Polyglot-ko, Qwen, Llama 3: no character is unknown, no bos is put."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(SENTENCES, trainer)
    return backend


def train_stripping() -> Backend:
    """Byte-level, but spaces at both ends of a text are lost, as sentencepiece may be told."""
    backend = train_bytes()
    backend.normalizer = normalizers.Strip()
    return backend


def train_unigram(*, legacy: bool) -> Backend:
    """
    sentencepiece as in Llama 2: a space before each text, bytes for characters that have no piece, a bos.

    `legacy` puts the space in the normaliser, and so behind each special token too.
    """
    model = io.BytesIO()
    told = {"model_type": "unigram", "vocab_size": 600, "hard_vocab_limit": False, "byte_fallback": True}
    kept = {"add_dummy_prefix": True, "remove_extra_whitespaces": False, "normalization_rule_name": "identity"}
    quiet = {"user_defined_symbols": SPECIAL[3:], "minloglevel": 2, "num_threads": 1}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES), model_writer=model, **told, **kept, **quiet
    )
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    vocabulary = [(pieces.id_to_piece(id), pieces.get_score(id)) for id in range(pieces.get_piece_size())]
    backend = Backend(models.Unigram(vocabulary, unk_id=0, byte_fallback=True))
    if legacy:
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        backend.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    strip = decoders.Strip(content=" ", left=1, right=0)
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), strip])
    backend.add_special_tokens(SPECIAL)
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return backend


def train_characters() -> Backend:
    """A token a character: what was not seen is unknown."""
    characters = [*sorted(set("".join(SENTENCES)) - {" "}), " ", "\n", "#", ":"]
    vocabulary = {token: id for id, token in enumerate([*SPECIAL, *dict.fromkeys(characters)])}
    backend = Backend(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    backend.decoder = decoders.Fuse()
    backend.add_special_tokens(SPECIAL)
    return backend


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect no garbage while all libraries are loaded: they would be gone through time and again, and stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


# Both are optional, as the environment of tests/vllm has no pytest-xdist.
@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than processors: many tests wait for a process, a browser or a clock."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> "LoadScopeScheduling":
    """Say which tests run in one process, and which begin first."""
    from tests.scheduling import Files

    return Files(config, log)


@pytest.fixture(scope="module", autouse=True)
def quick_collections() -> None:
    """
    Spare the collector of garbage all that is loaded by now.

    Each training collects garbage, and would else go through every library for most of a short run.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory) -> Callable[..., Path]:
    """Save a tokenizer of a kind as a model's folder has it; `without` leaves keys of its configuration out."""
    made: dict[str, Backend] = {}
    trainers = {
        "bytes": train_bytes,
        "unigram": lambda: train_unigram(legacy=False),
        "legacy": lambda: train_unigram(legacy=True),
        "characters": train_characters,
        "stripping": train_stripping,
    }

    def save(kind: str, chat: str | None = None, without: tuple[str, ...] = ()) -> Path:
        if kind not in made:
            made[kind] = trainers[kind]()
        folder = tmp_path_factory.mktemp(kind) / f"tiny-{kind}"
        folder.mkdir()
        made[kind].save(str(folder / "tokenizer.json"))
        configuration = {
            **{"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"},
            **{"pad_token": "</s>" if kind == "bytes" else "<pad>", "unk_token": "<unk>"},
            **({"chat_template": CHATS[chat]} if chat else {}),
        }
        kept = {key: value for key, value in configuration.items() if key not in without}
        (folder / "tokenizer_config.json").write_text(json.dumps(kept), encoding="utf-8")
        return folder

    return save


@pytest.fixture(scope="session")
def tokenizer_of(tokenizer_folder) -> Callable[..., Tokenizer]:
    """Load a tokenizer of a kind, with a chat template or without; each is trained and loaded once."""
    loaded: dict[tuple[object, ...], Tokenizer] = {}

    def load(kind: str = "bytes", chat: str | None = None, without: tuple[str, ...] = ()) -> Tokenizer:
        key = kind, chat, without
        if key not in loaded:
            loaded[key] = load_tokenizer(tokenizer_folder(*key))
        return loaded[key]

    return load


# Of one module: Playwright's event loop runs until it is closed, and the tests of the next module may have their own.
@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """The browser that HANPURI_BROWSER names, or Chromium."""
    from playwright.sync_api import sync_playwright  # which the environment of tests/vllm does not have

    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("HANPURI_BROWSER") or next(filter(None, map(shutil.which, names)), None)
    assert found, "found no browser, expected chromium: install it (apt install chromium), or set HANPURI_BROWSER"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, headless=True)
        yield browser
        browser.close()
