"""
Runs beside each other: the table that people write by hand, and what in it must not be compared.

In: folders as the kinds of runs leave them. Out: rows, the best of each score, keys that differ, warnings.
"""

import pytest

from hanpuri.recipe import Settings
from hanpuri.runs import write_json
from hanpuri.runs.comparison import compare, validation_of
from hanpuri.runs.reading import read_run
from hanpuri.runs.recipes import chosen_values, differences
from hanpuri.runs.wording import as_markdown, rest_as_markdown, run_cells


@pytest.fixture
def runs(run_folder, kinds):
    """Make runs of the fine-tuning, each finished, with a score and with whatever else is laid over."""

    def make(*accuracies, **sections):
        for number, accuracy in enumerate(accuracies):
            result = {**kinds.result, "scores": {"char_accuracy": accuracy}}
            recipe = {**kinds.sft, **(sections if number else {})}
            yield read_run(run_folder(f"run-{number}", recipe, [], result, hashes={"tokenizer": "1"}))

    return lambda *accuracies, **sections: list(make(*accuracies, **sections))


def table(*folders) -> list[tuple[str, ...]]:
    """The table of some folders, a column a field: its name, then the text of each run."""
    head, rows = run_cells(compare([read_run(folder) for folder in folders]))
    return [(name, *(row[index].text for row in rows)) for index, name in enumerate(head)]


def test_the_row_of_a_fine_tuning(run_folder, kinds):
    assert table(run_folder(result=kinds.result)) == [
        ("run", "mine"),
        ("model", "qwen3-0.6b"),
        ("method", "lora"),
        ("data", "pairs"),
        ("rows", "184,211"),
        ("epochs", "2"),
        ("batch", "16"),  # 8 at once, 2 added up
        ("learning rate", "0.0002"),
        ("max_length", "512"),
        ("engine", "trl 1.16.0"),
        ("char_accuracy", "0.9663"),  # what the best checkpoint was chosen by
        ("eval_loss", "1.5000"),
        ("time", "2 h 4 min"),
        ("tokens/s", "2,000"),
        ("peak memory", "5.1 GB"),
    ]


def test_the_row_of_a_pre_training_and_that_of_a_restorer(run_folder, kinds, written_lines):
    lines = [{"step": 100, "epoch": 1.0, "eval_loss": 4.0, "eval_bits_per_byte": 1.75, "tokens_per_second": 5}]
    folders = run_folder("small", kinds.pretrain, lines), run_folder("tiny", kinds.compact, written_lines.compact())
    assert table(*folders) == [
        ("run", "small", "tiny"),
        ("model", "new llama 4×128", "new encoder 2×64"),
        ("method", "scratch", "scratch"),
        ("data", "nsmc.txt.xz, wiki.txt.xz", "a.txt, b.txt, c.txt + 2"),
        ("epochs", "1", "–"),
        ("batch", "4", "768 items"),
        ("learning rate", "0.001", "0.005"),
        ("max_length", "256", "32"),
        ("engine", "trl 1.16.0", "torch 2.13.0"),
        ("bits_per_byte", "1.7500", "–"),
        ("eval_loss", "4.0000", "–"),
        ("own", "–", "0.9100"),
        ("time", "–", "25 s"),
        ("tokens/s", "5", "9,000"),
    ]


@pytest.mark.parametrize(
    ("sections", "method"),
    [
        ({}, "lora"),
        ({"adapter": None}, "full"),
        ({"model": {"path": "a", "quantization": {"type": "nf4"}}}, "qlora"),
    ],
)
def test_the_method_is_that_of_the_recipe_before_there_is_a_result(run_folder, kinds, sections, method):
    assert ("method", method) in table(run_folder(recipe={**kinds.sft, **sections}))


def test_the_best_of_a_score_is_marked_and_ties_are_both(runs):
    comparison = compare(runs(0.9, 0.95, 0.95))
    assert comparison.best("char_accuracy") == 0.95
    head, rows = run_cells(comparison)
    column = head.index("char_accuracy")
    assert [row[column].best for row in rows] == [False, True, True]


def test_of_a_loss_the_smallest_is_the_best_and_alone_nothing_is(run_folder, kinds, written_lines):
    higher = [{**line, "eval_loss": 9.0} if "eval_loss" in line else line for line in written_lines.sft()]
    one, other = read_run(run_folder("one")), read_run(run_folder("other", lines=higher))
    assert compare([other, one]).best("eval_loss") == 1.7
    assert compare([one]).best("eval_loss") is None


def test_keys_that_differ_are_named_with_the_value_of_each_run(runs, kinds):
    training = {**kinds.sft["training"], "learning_rate": 0.0001}
    comparison = compare(runs(0.9, 0.9, training=training, name="other", extra=True))
    assert comparison.differing == (
        ("training.learning_rate", ("0.0002", "0.0001")),
        ("extra", ("(not there)", "true")),
    )
    assert comparison.warnings == ()


def test_two_runs_of_one_name_are_called_by_their_folders(run_folder, kinds):
    one, other = run_folder("a/mine"), run_folder("b/mine")
    assert [row.name for row in compare([read_run(one), read_run(other)]).rows] == [str(one), str(other)]


# --- warnings


def test_what_stands_in_the_way_of_comparing_is_said(run_folder, kinds):
    environment = {"data": {"prepared/validation.parquet": "2"}, "hashes": {"tokenizer": "2"}}
    one, other = read_run(run_folder(result=kinds.result)), read_run(run_folder("other", **environment))
    assert compare([one, other]).warnings == (
        "other is stopped at step 40 of 40",
        "they were not scored on the same validation data",
        "their tokenizers differ: eval_loss counts by token, compare bits_per_byte or what was generated",
    )


def test_a_score_that_a_run_lacks_is_said(run_folder, kinds):
    lines = [{"step": 1, "eval_loss": 1.0, "eval_token_f1": 0.5}]
    runs = [read_run(run_folder("a", lines=lines)), read_run(run_folder("b"))]
    warnings = compare(runs).warnings
    assert "a has no char_accuracy" in warnings
    assert "b has no token_f1" in warnings


def test_what_was_scored_apart_stands_with_its_bounds(run_folder, kinds):
    folders = run_folder("a", lines=[]), run_folder("b", lines=[])
    for folder, value in zip(folders, (0.5, 0.25), strict=True):
        told = {"prose cer": [value, value - 0.125, value + 0.125], "prose words": [0.5], "rows": 4}
        write_json(folder / "evaluation.json", told)
    rows = {row[0]: row[1:] for row in table(*folders)}
    assert rows["prose cer"] == ("0.5000 (0.3750 to 0.6250)", "0.2500 (0.1250 to 0.3750)")
    assert "prose words" not in rows
    assert compare([read_run(folder) for folder in folders]).best("prose cer") == 0.25


@pytest.mark.parametrize(
    ("recipe", "data", "same"),
    [
        ({}, {"pairs/train.parquet": "changed", "pairs/validation.parquet": "v"}, True),  # a prepared set
        ({}, {"pairs/train.parquet": "t", "pairs/validation.parquet": "changed"}, False),
        ({"data": {"validation": "held.jsonl"}}, {"held.jsonl": "v"}, True),  # under another name
        ({"data": {}}, {"all.jsonl": "v"}, False),  # a share of a file that is held out
    ],
)
def test_validation_data_is_known_by_its_hashes(run_folder, kinds, recipe, data, same):
    first = {"data": {"pairs/train.parquet": "t", "pairs/validation.parquet": "v"}}
    one = read_run(run_folder("one", kinds.sft, **first))
    other = read_run(run_folder("other", {**kinds.sft, **recipe}, data=data))
    assert (validation_of(one) == validation_of(other)) is same


@pytest.mark.parametrize(("section", "same"), [({}, True), ({"seed": 1}, False), ({"name": "x"}, True)])
def test_what_a_seed_holds_out_is_the_same_only_with_the_same_seed(runs, section, same):
    one, other = runs(0.9, 0.9, **section)
    assert (validation_of(one) == validation_of(other)) is same


# --- Markdown


def test_the_table_as_markdown(runs, kinds):
    sections = {"examples": {"max_length": 256}, "seed": 7}
    comparison = compare(runs(0.9, 0.95, **sections))
    lines = [*as_markdown(*run_cells(comparison)).splitlines(), *"\n".join(rest_as_markdown(comparison)).splitlines()]
    assert lines == [
        "| run | model | method | data | rows | epochs | batch | learning rate | max_length | engine | char_accuracy "
        "| time | tokens/s | peak memory |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        "| run-0 | qwen3-0.6b | lora | pairs | 184,211 | 2 | 16 | 0.0002 | 512 | trl 1.16.0 | 0.9000 | 2 h 4 min "
        "| 2,000 | 5.1 GB |",
        "| run-1 | qwen3-0.6b | lora | pairs | 184,211 | 2 | 16 | 0.0002 | 256 | trl 1.16.0 | **0.9500** | 2 h 4 min "
        "| 2,000 | 5.1 GB |",
        "",
        "Recipe keys that differ:",
        "",
        "- examples.max\\_length: 512 · 256",
        "- seed: 0 · 7",
        "",
        "To keep in mind:",
        "",
        "- they were not scored on the same validation data",
    ]


# --- recipes


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": None}, {"a": {"b": 1}}, [("a", None, {"b": 1})]),  # a section that is put in
        ({"a": [1]}, {"a": []}, 1),  # an item that is taken out
        ({1: 2}, {1: 3}, [("1", 2, 3)]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
    ],
)
def test_differences_are_named_by_their_keys(before, after, found):
    assert differences(before, after) == found if isinstance(found, list) else len(differences(before, after)) == found


class Adapter(Settings):
    r: int = 16
    alpha: int = 32


class Recipe(Settings):
    kind: str
    adapter: Adapter | None = None
    whole: Adapter = Adapter()
    names: tuple[str, ...] = ("a",)


@pytest.mark.parametrize(
    ("recipe", "chosen"),
    [
        (Recipe(kind="x"), {"kind": "x"}),
        (Recipe(kind="x", adapter=Adapter()), {"kind": "x", "adapter": "as by default"}),
        (Recipe(kind="x", adapter=Adapter(r=8), names=("b",)), {"kind": "x", "adapter.r": 8, "names": ["b"]}),
        (Recipe(kind="x", whole=Adapter(alpha=1)), {"kind": "x", "whole.alpha": 1}),
    ],
)
def test_what_a_recipe_says_besides_defaults(recipe, chosen):
    assert dict(chosen_values(recipe.model_dump(mode="json"), Recipe)) == chosen
