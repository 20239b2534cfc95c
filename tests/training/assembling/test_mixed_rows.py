"""
A run on rows of two sources: what each had in it is told before the first step, in its result, and when it is listed.

In: a tiny model, two files. Out: a run of two steps, made once.
"""

import json
from pathlib import Path

import pytest

from hanpuri.cli.runs_table import show
from hanpuri.errors import HanpuriError
from hanpuri.evaluation import metrics
from hanpuri.preferences.rewards import open_rewards
from hanpuri.recipe import check_settings
from hanpuri.training.preflight.rendering import lines
from hanpuri.training.recipe import KINDS, SftRecipe
from hanpuri.training.train import Trained, look_ahead, train

MEASURES = {name: getattr(metrics, name) for name in ("char_accuracy", "exact_match", "token_f1")}


def write(path: Path, about: str, number: int) -> Path:
    rows = [{"instruction": f"{about} {place}번은?", "output": "네."} for place in range(number)]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def recipe(tiny_model, tmp_path_factory) -> SftRecipe:
    folder = tmp_path_factory.mktemp("sources")
    first, second = write(folder / "방.jsonl", "방", 30), write(folder / "food.jsonl", "식당", 6)
    fields = {
        "kind": "sft",
        "name": "mixed",
        "model": {"path": str(tiny_model("llama"))},
        "adapter": {"r": 2},
        "data": {
            "sources": [{"path": str(first), "weight": 3}, {"path": str(second)}],
            "validation_share": 0.1,
        },
        "examples": {"template": "koalpaca", "max_length": 128},
        "training": {"steps": 2, "batch_size": 2, "learning_rate": 1e-3},
    }
    return SftRecipe.model_validate(fields)


@pytest.fixture(scope="module")
def shown() -> list:
    return []


@pytest.fixture(scope="module")
def trained(recipe, shown, tmp_path_factory) -> Trained:
    folder = tmp_path_factory.mktemp("runs") / "mixed"
    return train(recipe, folder, measures=MEASURES, device="cpu", show=shown.append)


def test_the_table_before_the_run_and_the_result_tell_each_source(trained, shown, recipe):
    told = json.loads((trained.folder / "result.json").read_text(encoding="utf-8"))["sources"]
    assert told == json.loads((trained.folder / "preflight.json").read_text(encoding="utf-8"))["shares"]
    first, second = told
    assert [first["path"], second["path"]] == [str(source.path) for source in recipe.data.sources]
    assert [first["asked"], second["asked"]] == [0.75, 0.25]
    assert (first["rows"] + second["rows"]) == trained.result["train_rows"]
    assert second["copies"] == second["rows"] - second["there"] > 0
    assert first["tokens"] > first["trained_tokens"] >= 4 * first["rows"]  # 네. in bytes
    (head,) = [place for place, line in enumerate(lines(shown[0])) if line.startswith("source ")]
    assert [line.split()[1] for line in lines(shown[0])[head + 1 : head + 3]] == ["75.0%", "25.0%"]


def test_runs_show_tells_each_source(trained, capsys):
    show(str(trained.folder), trained.folder.parent, as_json=False)
    told = capsys.readouterr().out
    first = trained.result["sources"][0]
    assert "\nsources\n" in told
    assert f"75.0% asked, {first['given']:.1%} given: {first['rows']:,} rows of {first['there']:,}, " in told


def test_a_run_that_goes_on_with_other_weights_is_refused(trained, recipe):
    sources = [recipe.data.sources[0].model_copy(update={"weight": 5.0}), recipe.data.sources[1]]
    other = recipe.model_copy(update={"data": recipe.data.model_copy(update={"sources": tuple(sources)})})
    with pytest.raises(HanpuriError, match=r"data\.sources"):
        train(other, trained.folder, measures=MEASURES, device="cpu")


OF_KIND = {
    # pairs of answers
    "reward": {},
    "dpo": {},
    # questions, and rewards for the answers
    "grpo": {"rewards": [{"longest": 5}], "sampling": {"answers": 2, "max_new_tokens": 4}},
    "rloo": {"rewards": [{"longest": 5}], "sampling": {"answers": 2, "max_new_tokens": 4}},
}


@pytest.mark.parametrize("kind", OF_KIND)
def test_the_other_kinds_tell_each_source_too(kind, recipe, tiny_model, tmp_path):
    files = [tmp_path / name for name in ("first.jsonl", "second.jsonl", "watched.jsonl")]
    for file, number in zip(files, (16, 4, 2), strict=True):
        rows = [
            {"prompt": f"{file.stem} {place}번은?", "chosen": "네.", "rejected": "아니요."} for place in range(number)
        ]
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    fields = {
        **{"kind": kind, "name": "mixed", "model": {"path": str(tiny_model("llama"))}},
        "data": {"sources": [{"path": str(files[0])}, {"path": str(files[1])}], "validation": str(files[2])},
        **{"examples": {"template": "koalpaca", "max_length": 128}, **OF_KIND[kind]},
        "training": {"steps": 1, "batch_size": 2, "learning_rate": 1e-3},
    }
    other = check_settings("a test", KINDS[kind], fields)
    checked = look_ahead(other, tmp_path, measures=MEASURES, open_rewards=open_rewards, device="cpu")
    assert [(one.asked, one.rows, one.there, one.copies) for one in checked.shares] == [(0.5, 8, 16, 0), (0.5, 8, 4, 4)]
    assert [one.tokens > 0 for one in checked.shares] == [True, True]
    assert checked.warnings[0].startswith("the mix has 16 rows, not 20: ")
