"""
A model with its rows, as a training would get them.

In: an architecture, rows of questions and answers. Out: what `preflight` is called with.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hanpuri.data.chats import choose_template
from hanpuri.data.examples import make_example
from hanpuri.data.packing import pack_examples
from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.training.feeding.datasets import from_examples, from_packs
from hanpuri.training.recipe import SftRecipe

ROWS = (
    ("강은 어디로 흐르나요?", "바다로요."),
    ("오늘 저녁에 무엇을 먹으면 좋을까요?", "따뜻한 국수 한 그릇이 어떨까요? 파를 조금 넣으면 더 좋습니다."),
    ("책을 빌리려면?", "도서관에 가서 회원증을 보여 주세요."),
    ("별은 왜 반짝이나요?", "공기가 흔들려서 빛이 꺾이기 때문입니다."),
    ("고마워요", "천만에요."),
    ("가을에 피는 꽃을 알려 주세요.", "국화와 코스모스가 가을에 핍니다."),
)
WATCHED = (("물은 몇 도에서 끓나요?", "백 도에서 끓습니다."), ("잘 자요", "좋은 꿈 꾸세요."))


@dataclass
class Parts:
    """What is handed to `preflight`, besides the recipe."""

    model: Any
    tokenizer: Any
    template: Any
    train: Any
    validation: Any
    packed: bool
    folder: Path

    def as_arguments(self) -> dict[str, Any]:
        return vars(self)


@pytest.fixture
def make_recipe():
    return _recipe


def _recipe(path: Path | str, **sections: Any) -> SftRecipe:
    """Write a recipe; sections are laid over the smallest one."""
    fields: dict[str, Any] = {
        "kind": "sft",
        "name": "tiny",
        "model": {"path": str(path)},
        "data": {"path": "none.jsonl"},
    }
    training = {"steps": 10, "learning_rate": 1e-3, "batch_size": 2}
    for name, section in sections.items():
        merges = isinstance(fields.get(name), dict) and isinstance(section, dict)
        fields[name] = {**fields[name], **section} if merges else section
    fields["training"] = {**training, **sections.get("training", {})}
    return SftRecipe.model_validate(fields)


@pytest.fixture
def parts(tiny_model, tmp_path) -> Callable[..., Parts]:
    def make(
        architecture="llama", *, rows=ROWS, watched=WATCHED, packed=False, template="koalpaca", chat=None
    ) -> Parts:
        import torch
        from transformers import AutoModelForCausalLM

        from hanpuri.training.loading.models import quiet_loading

        place = tiny_model(architecture, chat)
        tokenizer = load_tokenizer(place)
        chosen = choose_template(template, tokenizer)
        with quiet_loading():
            model = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32)

        def lay(pairs):
            fields = [{"instruction": asked, "input": "", "output": said} for asked, said in pairs]
            examples = [
                make_example(chosen.render(row, str(number)), tokenizer, ExampleSettings())
                for number, row in enumerate(fields)
            ]
            return from_packs(pack_examples(examples, 120)) if packed else from_examples(examples)

        return Parts(model, tokenizer, chosen, lay(rows), lay(watched), packed, tmp_path / "run")

    return make
