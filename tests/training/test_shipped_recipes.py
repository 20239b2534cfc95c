"""
Every shipped recipe of LLM training runs here, a few steps on a tiny random model of each architecture it is meant for.

In: `hanpuri/recipes/*.yaml` of a kind of LLM training. Put in place of the real thing are model, data, the number of
steps, and what a processor cannot do (paged optimizers); template, adapter, 4 bits, schedule are the recipe's own.
"""

import json
import re
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import yaml

from hanpuri.data.templates import CHAT, load_template
from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.evaluation import metrics
from hanpuri.preferences.rewards import open_rewards
from hanpuri.recipe import read_recipe
from hanpuri.runs import Run
from hanpuri.training.prompting import load_prompting
from hanpuri.training.recipe import KINDS, TrainRecipe
from hanpuri.training.train import train

RECIPES = {
    path.stem: path
    for path in sorted((Path(__file__).parents[2] / "hanpuri" / "recipes").glob("*.yaml"))
    if yaml.safe_load(path.read_text(encoding="utf-8"))["kind"] in KINDS
}
SENTENCES = (Path(__file__).parents[1] / "cases" / "sentences.txt").read_text(encoding="utf-8").splitlines()
MEASURES = {name: getattr(metrics, name) for name in ("char_accuracy", "exact_match", "token_f1")}
SHORT = ["training.epochs=null", "training.steps=2", "training.batch_size=2", "training.accumulation=1"]
# A new model's size, and what its tokenizer is trained with.
SMALL = [
    *("model.scratch.hidden_size=32", "model.scratch.num_layers=2", "model.scratch.num_heads=4"),
    *("model.scratch.num_key_value_heads=2", "tokenizer.train.vocab_size=400", "max_length=32"),
]
ON = [
    ("polyglot-ko-12.8b-koalpaca-qlora", "gpt-neox"),
    # Recipes for gemma suit its successors too.
    ("gemma-ko-7b-restoration-qlora", "gemma"),
    ("gemma-ko-7b-restoration-qlora", "gemma2"),
    ("gemma-ko-7b-restoration-qlora", "gemma3"),
    ("qwen3-sft-lora", "qwen3"),
    ("cpu-tiny-restoration", "llama"),
    ("cpu-tiny-chatbot", "llama"),
    ("cpu-tiny", None),
    ("llama-pretrain-small", None),
    ("restoration-llm", "llama"),
    ("char-lm", None),
    ("korean-llama", None),
    ("korean-llama-restoration", "llama"),
    ("korean-llama-chatbot", "llama"),
    ("reward-tiny", "llama"),
    ("dpo-tiny", "llama"),
    ("restoration-dpo", "llama"),
    ("grpo-tiny", "llama"),
    ("restoration-grpo", "llama"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[str, Path]:
    """Prepared folders of both forms, and a corpus; called as the recipes call them."""
    folder = tmp_path_factory.mktemp("prepared")
    questions = [f"{sentence} 맞나요?" for sentence in SENTENCES]
    rows = {
        "chatbot-answers": {"instruction": questions, "input": [""] * len(SENTENCES), "output": SENTENCES},
        "restoration-pairs": {"noisy": SENTENCES, "clean": SENTENCES},
        "korean-llama-pairs": {"noisy": SENTENCES, "clean": SENTENCES},
    }
    for name, columns in rows.items():
        (folder / name).mkdir()
        for split, part in (("train", slice(0, 12)), ("validation", slice(12, 16))):
            some = {"id": [f"{split}-{number}" for number in range(part.stop - part.start)]}
            some |= {key: values[part] for key, values in columns.items()}
            pyarrow.parquet.write_table(pyarrow.table(some), folder / name / f"{split}.parquet")
    pairs = [{"prompt": one, "chosen": one, "rejected": f"{one} {one}"} for one in SENTENCES[:12]]
    (folder / "pairs.jsonl").write_text("".join(map("{}\n".format, map(json.dumps, pairs))), encoding="utf-8")
    (folder / "corpus.txt").write_text("\n".join(SENTENCES * 4), encoding="utf-8")
    return {name: folder / name for name in (*rows, "pairs.jsonl", "corpus.txt")}


def read(name: str, *overrides: str) -> TrainRecipe:
    settings = read_recipe(RECIPES[name], KINDS, overrides)
    assert isinstance(settings, TrainRecipe)
    return settings


def overrides_for(name: str, model: Path | None, data: dict[str, Path]) -> list[str]:
    """What is put in place of the real thing."""
    recipe = read(name)
    changes = [*SHORT, "watch.evaluate_every=1", "watch.log_every=1"]
    if recipe.training.optimizer.startswith("paged"):
        changes.append("training.optimizer=adamw_torch")
    if getattr(recipe.training, "compile", False):
        changes.append("training.compile=false")  # it takes a minute
    if model is None:
        corpora = [f"data.corpora.{place}.path={data['corpus.txt']}" for place in range(len(recipe.data.corpora))]
        plain = [f"data.corpora.{place}.field=null" for place in range(len(recipe.data.corpora))]
        return [*changes, *SMALL, *corpora, *plain, "data.validation=0.2"]
    if recipe.kind == "reward":
        pairs = data["pairs.jsonl"]
        return [*changes, f"model.path={model}", f"data.path={pairs}", f"data.validation={pairs}"]
    if recipe.kind == "dpo":
        pairs = [f"data.path={data['pairs.jsonl']}", f"data.validation={data['pairs.jsonl']}"]
        adapter = ["adapter={r: 4}"] if recipe.adapter else []  # there is none to go on with
        changes += [*pairs, *adapter, "examples.template=plain", "watch.generation.rows=2"]
        return [*changes, "watch.generation.max_new_tokens=4", f"model.path={model}"]
    if recipe.kind == "grpo":
        adapter = "adapter={r: 4}" if recipe.adapter else "adapter=null"
        changes += [adapter, "sampling.answers=2", "sampling.max_new_tokens=4"]
        changes += ["examples.template=plain", "examples.max_length=500"]
    answers = ["watch.generation.rows=2", "watch.generation.max_new_tokens=4"]
    return [*changes, *answers, f"model.path={model}", f"data.path={data[recipe.data.path.name]}"]


@pytest.mark.parametrize("name", RECIPES)
def test_the_head_of_a_recipe_shows_its_command_and_explains_keys_that_it_has(name):
    text = RECIPES[name].read_text(encoding="utf-8")
    head = text[: text.index("kind:")]
    assert f"\n#   hanpuri train {name}\n" in head or f"\n#   hanpuri train {name} " in head
    told = set(re.findall(r"^# (\w+)  +\S", head, re.MULTILINE))
    assert "needs" in told
    assert told - {"needs", "expects", "next"} <= set(yaml.safe_load(text))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_called_as_its_file_and_names_a_template_that_is_there(name):
    recipe = read(name)
    assert recipe.name == name
    if recipe.kind == "sft" and recipe.examples.template != CHAT:
        load_template(recipe.examples.template)


def test_each_recipe_runs_and_each_architecture_has_one():
    assert {name for name, _ in ON} == set(RECIPES)
    assert {model for _, model in ON if model} == {"llama", "qwen3", "gemma", "gemma2", "gemma3", "gpt-neox"}


@pytest.mark.parametrize(("name", "architecture"), ON)
def test_a_shipped_recipe_trains_a_few_steps(name, architecture, tiny_model, data, tmp_path):
    model = tiny_model(architecture, "qwen3" if architecture == "qwen3" else None) if architecture else None
    recipe = read(name, *overrides_for(name, model, data))
    shown = []
    given = {"open_rewards": open_rewards} if recipe.kind == "grpo" else {}
    trained = train(recipe, tmp_path / name, measures=MEASURES, device="cpu", show=shown.append, **given)
    assert trained.finished
    assert trained.step == 2
    assert len(shown) == 1
    result = json.loads((tmp_path / name / "result.json").read_text(encoding="utf-8"))
    assert result == trained.result
    assert result["scores"].keys() >= ({*recipe.FIGURES, recipe.watch.best_by} if model else {"loss", "bits_per_byte"})
    assert trained.weights == tmp_path / name / ("adapter" if recipe.adapter else "model")
    prompting = load_prompting(trained.weights, load_tokenizer(trained.weights))
    assert prompting.note == ""
    events = [line["event"] for line in Run(tmp_path / name).metrics() if "event" in line]
    assert (events[0], events[-1]) == ("started", "finished")
