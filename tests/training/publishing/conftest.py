"""
Runs as training leaves them, made by hand: a tiny base, an adapter with random matrices, recipe, result, rows.

In: an architecture, a method. Out: the run's folder; a test may write into it.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.templates import load_template
from hanpuri.runs import Run, write_json
from hanpuri.training.prompting import save_prompting
from hanpuri.training.publishing.origin import fingerprint
from hanpuri.training.recipe import AdapterSettings, ModelSettings, PretrainRecipe, QuantizationSettings, SftRecipe

ANSWERS = ("오후 세 시부터입니다.", "네.", "프런트에 말씀해 주세요.")
QUESTIONS = (
    "체크인은 몇 시인가요?",
    "수건을 더 받을 수 있나요?",
    "주차?",
    "아침 식사는 어디에서 몇 시부터 몇 시까지 먹을 수 있는지 알려 주시겠어요?",
    "강아지와 함께 묵어도 되나요?",
    "바다가 보이는 방은 얼마예요?",
    "늦게 도착하면 어떻게 들어가나요?",
    "근처에 편의점이 있어요?",
    "방에서 담배를 피워도 돼요?",
    "비가 오면 수영장은?",
)
RESULT = {"kind": "sft", "finished": True, "steps": 30, "best_step": 20, "device": "cpu", "train_rows": 10}
SCORES = {"loss": 1.25, "token_f1": 0.5}


def write_rows(path: Path) -> Path:
    """Questions and answers, a row each."""
    made = [
        {"instruction": question, "input": "", "output": ANSWERS[place % len(ANSWERS)]}
        for place, question in enumerate(QUESTIONS)
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made), encoding="utf-8")
    return path


def write_run(place: Path, base: Path, method="lora", *, save=(), weights="auto", scale=0.3) -> Path:
    """Write a run that has tuned a base, and its rows; of method full, lora or qlora."""
    rows = write_rows(place / "faq.jsonl")
    recipe = SftRecipe(
        kind="sft",
        name=f"faq-{method}",
        model=ModelSettings(
            path=str(base), weights=weights, quantization=QuantizationSettings() if method == "qlora" else None
        ),
        adapter=None if method == "full" else AdapterSettings(r=4, alpha=8, modules_to_save=save),
        data={"path": str(rows), "validation_share": 0.3},
        examples={"template": "koalpaca", "max_length": 256},
        training={"steps": 30, "learning_rate": 1e-3},
    )
    run = Run.start(place / "runs" / recipe.name, recipe, [rows], {"base": fingerprint(base)})
    folder = run.folder / ("model" if method == "full" else "adapter")
    _train(recipe, base, folder, scale)
    save_prompting(folder, load_template("koalpaca"), ExampleSettings(template="koalpaca"), "instruction")
    write_json(run.folder / "result.json", {**RESULT, "name": recipe.name, "method": method, "scores": SCORES})
    return run.folder


@pytest.fixture
def make_run(tmp_path, tiny_model) -> Callable[..., Path]:
    """Make a run that has tuned a tiny model of an architecture."""

    def make(architecture="llama", method="lora", *, base=None, **settings) -> Path:
        return write_run(tmp_path, base or tiny_model(architecture), method, **settings)

    return make


@pytest.fixture(scope="module")
def bf16_run(tmp_path_factory, tiny_model) -> Path:
    """A QLoRA run; a test must not write into it."""
    return write_run(tmp_path_factory.mktemp("bf16"), tiny_model("llama"), "qlora", scale=0.03)


@pytest.fixture
def pretrained_run(tmp_path, tiny_model) -> Path:
    """A run that has pre-trained a tiny llama."""
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(
        "".join(f"{question} {answer}\n" for question in QUESTIONS for answer in ANSWERS), encoding="utf-8"
    )
    scratch = {"hidden_size": 64, "num_layers": 2, "num_heads": 4}
    recipe = PretrainRecipe(
        kind="pretrain",
        name="small",
        model={"scratch": scratch},
        tokenizer={"path": str(tiny_model("llama"))},
        data={"corpora": [{"path": str(corpus)}]},
        training={"steps": 30, "learning_rate": 1e-3},
    )
    run = Run.start(tmp_path / "runs" / "small", recipe, [corpus])
    _train(recipe, tiny_model("llama"), run.folder / "model", 0.3)
    write_json(run.folder / "result.json", {**RESULT, "kind": "pretrain", "name": "small", "scores": {"loss": 3.5}})
    return run.folder


def _train(recipe, base: Path, folder: Path, scale: float) -> None:
    """Stand in for training: a small step in a random direction, saved with the tokenizer."""
    import torch
    from transformers import AutoTokenizer

    from hanpuri.training.loading.adapters import attach_adapter, save_adapter
    from hanpuri.training.loading.models import load_model, quiet_loading

    settings = recipe.model.model_copy(update={"path": str(base), "scratch": None})
    model = load_model(settings, learns_whole=recipe.adapter is None, device="cpu")
    if recipe.adapter is not None:
        model = attach_adapter(model, recipe.adapter, seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in (one for one in model.parameters() if one.requires_grad):
            parameter += (
                scale
                * torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
                * (0.1 if recipe.adapter is None else 1)
            )
    with quiet_loading():
        model.save_pretrained(folder) if recipe.adapter is None else save_adapter(model, folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)


@pytest.fixture(autouse=True, scope="session")
def few_tokens() -> Iterator[None]:
    """Ask for less: what is found with six tokens of an answer is found with more."""
    from hanpuri.training.publishing import parity, prompts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parity, "MAX_NEW_TOKENS", 6)
        patch.setattr(parity, "DRAWS", 4)
        patch.setattr(prompts, "NUM_PROMPTS", 8)
        yield
