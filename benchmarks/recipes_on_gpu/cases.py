"""
What is run: the shipped LLM recipes, and the shapes of the models that they name.

In: nothing. Out: Cases and Shapes; a model of a shape has the true sizes and random weights.
"""

import argparse
from dataclasses import dataclass, field
from typing import Any

TINY = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
QWEN3_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['role'] == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Shape:
    """A base model without its weights."""

    name: str
    model_type: str
    sizes: dict[str, Any]
    vocab_size: int
    korean: int
    """Tokens of the trained part; the others stand for those of other languages."""
    begins: bool
    """Whether a text begins with bos."""
    chat: str | None = None


@dataclass(frozen=True)
class Case:
    """A recipe, and what is changed of it."""

    recipe: str
    steps: int
    changes: list[str] = field(default_factory=list)
    shape: Shape | None = None
    """None for a model that the recipe makes itself."""

    def overrides(self, options: argparse.Namespace, name: str) -> list[str]:
        """What is set in place of what the recipe says."""
        told = [f"name={name}", "training.epochs=null", f"training.steps={self.steps}", *self.changes]
        if self.shape:
            told += [f"model.path={options.work / 'models' / self.recipe}"]
        if options.tiny:
            told += ["training.batch_size=2", "training.accumulation=1"]
            told += ["training.optimizer=adamw_torch"]
            told += ["data.rows=200"] if self.shape else SMALL
        if options.stop_steps and not self.shape:
            told += [f"training.steps={options.stop_steps}"]
        return told


POLYGLOT = Shape(
    "Polyglot-ko 12.8B",
    "gpt_neox",
    {
        "hidden_size": 5120,
        "intermediate_size": 20480,
        "num_hidden_layers": 40,
        "num_attention_heads": 40,
        "max_position_embeddings": 2048,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5},
    },
    vocab_size=30080,
    korean=30000,
    begins=False,
)
GEMMA = Shape(
    "gemma-ko-7b",
    "gemma",
    {
        "hidden_size": 3072,
        "intermediate_size": 24576,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "head_dim": 256,
        "max_position_embeddings": 8192,
    },
    vocab_size=256000,
    korean=8000,
    begins=True,
)
QWEN3 = Shape(
    "Qwen3-0.6B",
    "qwen3",
    {
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 40960,
        "tie_word_embeddings": True,
    },
    vocab_size=151936,
    korean=8000,
    begins=False,
    chat=QWEN3_CHAT,
)
SMALL = [
    *("model.scratch.hidden_size=64", "model.scratch.num_layers=2", "model.scratch.num_heads=4"),
    *("model.scratch.num_key_value_heads=2", "tokenizer.train.vocab_size=2000", "max_length=128"),
    *("tokenizer.train.characters=300000", "data.validation_documents=50"),
]
FEW = ["watch.log_every=2", "watch.generation.max_new_tokens=64"]
CASES = {
    case.recipe: case
    for case in (
        Case(
            "qwen3-sft-lora",
            40,
            [*FEW, "watch.evaluate_every=20", "watch.generation.rows=8"],
            QWEN3,
        ),
        Case(
            "polyglot-ko-12.8b-koalpaca-qlora",
            12,
            [*FEW, "watch.evaluate_every=12", "watch.generation.rows=8", "watch.evaluation_rows=64"],
            POLYGLOT,
        ),
        Case(
            "gemma-ko-7b-restoration-qlora",
            16,
            [*FEW, "watch.evaluate_every=16", "watch.generation.rows=16"],
            GEMMA,
        ),
        Case("llama-pretrain-small", 30, ["watch.log_every=2", "data.validation_documents=400"]),
    )
}
KILLED, KILLED_FROM, KILLED_AT = "qwen3-sft-lora", 20, 26
PUBLISHED = "qwen3-sft-lora"
