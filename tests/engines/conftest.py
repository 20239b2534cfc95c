"""
Models that have learnt a few answers by heart, so that a wrong prompt by one token gives another answer; and models
that have learnt nothing, which write anything.

In: the name of a template. Out: the folder of a tiny llama that was trained on rows of that template in a plain loop.
In: an architecture and a tokenizer. Out: the folder of a tiny model with random weights.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from hanpuri.data.chats import choose_template
from hanpuri.data.examples import collate, make_examples
from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.training.prompting import save_prompting

STEPS = 200  # at most
LEARNT_BY_HEART = 0.02
POSITIONS = 192

LEARNT = {
    "입실은 몇 시부터 하나요?": "오후 세 시부터 할 수 있습니다.",
    "주차장이 있나요?": "네, 건물 뒤에 두 대까지 됩니다.",
    "아침 식사가 나오나요?": "아니요, 근처 빵집을 알려 드립니다.",
    "바다가 보이나요?": "2층 방의 창문으로 보입니다.\n밤에는 등대도 보여요.",
}
TALK = [
    {"role": "user", "content": "주차장이 있나요?"},
    {"role": "assistant", "content": "네, 두 대까지 됩니다."},
    {"role": "user", "content": "얼마인가요?"},
    {"role": "assistant", "content": "주차는 무료입니다."},
]
ALONE = [{"role": "user", "content": "얼마인가요?"}, {"role": "assistant", "content": "무엇이 얼마인지 알려 주세요."}]
NOISY = {"확잠실읾 념뭄 잙앙욤": "화장실이 너무 작아요", "뷰갸 녀뮤 좋핬써욘": "뷰가 너무 좋았어요"}


def rows_of(template: str) -> list[dict[str, object]]:
    if template == "chat":
        return [{"messages": TALK}, {"messages": ALONE}]
    if template == "restoration":
        return [{"noisy": noisy, "clean": clean} for noisy, clean in NOISY.items()]
    return [{"instruction": question, "input": "", "output": answer} for question, answer in LEARNT.items()]


@pytest.fixture(scope="session")
def learnt() -> dict[str, str]:
    """What the model of the template koalpaca has learnt."""
    return LEARNT


@pytest.fixture(scope="session")
def taught(tmp_path_factory, tokenizer_folder) -> Callable[..., Path]:
    """Teach a model the rows of a template, with a kind of tokenizer; each once."""
    made: dict[tuple[str, str], Path] = {}

    def teach(template: str, kind: str = "bytes") -> Path:
        if (template, kind) not in made:
            folder = tmp_path_factory.mktemp("taught") / f"taught-{template}"
            made[template, kind] = _teach(
                template, tokenizer_folder(kind, "chatml" if template == "chat" else None), folder
            )
        return made[template, kind]

    return teach


def _teach(name: str, tokenizer_folder: Path, folder: Path) -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = load_tokenizer(tokenizer_folder)
    template = choose_template(name, tokenizer)
    settings = ExampleSettings(template=name)
    rendered = [template.render(row, str(number)) for number, row in enumerate(rows_of(name))]
    batch = collate(make_examples(rendered, tokenizer, settings).examples, pad_id=tokenizer.need_eos())
    torch.manual_seed(0)
    ids = {"bos_token_id": tokenizer.bos_id, "eos_token_id": tokenizer.eos_id}
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlamaConfig(vocab_size=tokenizer.vocab_size, max_position_embeddings=POSITIONS, **sizes, **ids)
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    inputs = {name: torch.tensor(getattr(batch, name)) for name in ("input_ids", "labels", "attention_mask")}
    for _ in range(STEPS):
        loss = model(**inputs).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss.item() < LEARNT_BY_HEART:
            break
    model.save_pretrained(folder)
    tokenizer.fast.save_pretrained(folder)
    save_prompting(folder, template, settings, "pairs" if name == "restoration" else None)
    assert loss.item() < LEARNT_BY_HEART
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory, tokenizer_folder) -> Callable[..., Path]:
    """Save a model of two blocks with random weights; each kind is made once, so a test must not write into it."""
    made: dict[tuple[str, ...], Path] = {}

    def save(architecture: str = "llama", chat: str | None = None, kind: str = "bytes") -> Path:
        key = architecture, str(chat), kind
        if key not in made:
            folder = tmp_path_factory.mktemp("models") / f"tiny-{architecture}"
            if kind == "fallback":
                tokenizer = _characters_with_bytes(tmp_path_factory.mktemp("fallback"))
            else:
                tokenizer = tokenizer_folder(kind, chat)
            made[key] = _save(architecture, tokenizer, folder)
        return made[key]

    return save


def _characters_with_bytes(folder: Path) -> Path:
    """A token a character, and bytes for those that were not seen, as cpu-tiny has them."""
    from hanpuri.training.loading.vocabulary import train_tokenizer
    from hanpuri.training.recipe import TrainTokenizerSettings

    texts = [text for pair in (*LEARNT.items(), *NOISY.items()) for text in pair]
    train_tokenizer(TrainTokenizerSettings(type="character", vocab_size=360, min_frequency=1), texts, folder)
    return folder


def _save(architecture: str, tokenizer: Path, folder: Path) -> Path:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    fast = load_tokenizer(tokenizer).fast
    sizes = {"vocab_size": len(fast), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "max_position_embeddings": 512}
    grouped = {} if architecture == "gpt-neox" else {"num_key_value_heads": 2, "head_dim": 8}
    ids = {"bos_token_id": fast.bos_token_id, "eos_token_id": fast.eos_token_id, "pad_token_id": fast.pad_token_id}
    model_type = {"gpt-neox": "gpt_neox", "gemma3": "gemma3_text"}.get(architecture, architecture)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **sizes, **heads, **ids, **grouped))
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder
