"""Pairs put together: which trainer, how rows are asked, what the pre-flight looks at, what is refused."""

import json

import pytest

from hanpuri.errors import DataError
from hanpuri.training.assembling.pairs import assemble_pairs
from hanpuri.training.prompting import make_prompting, save_prompting
from hanpuri.training.recipe import DpoRecipe, RewardRecipe

ROWS = [
    {"prompt": "쨰밌어요", "chosen": "재밌어요", "rejected": "째밌어요"},
    {"prompt": "조하요", "chosen": "좋아요", "rejected": "조아요 조아요 조아요"},
]


@pytest.fixture
def assembled(tiny_model, tmp_path):
    """Assemble a recipe of either kind over two rows, for a model that restores pairs."""

    def make(kind=RewardRecipe, rows=ROWS, **other):
        path = tmp_path / "pairs.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        fields = {
            "kind": kind.model_fields["kind"].annotation.__args__[0],
            "name": "a",
            "model": {"path": str(tiny_model("llama"))},
            "data": {"path": str(path), "validation": str(path)},
            "training": {"steps": 1, "learning_rate": 1e-3},
            "examples": {"template": "plain"},
        }
        told = []
        recipe = kind.model_validate({**fields, **other})
        measures = {"exact_match": lambda said, right: float(list(said) == list(right))}
        made = assemble_pairs(recipe, device="cpu", measures=measures, report=lambda *stage: told.append(stage))
        assert told == [("rows", 2, 2)]
        return made

    return make


@pytest.mark.parametrize(
    ("kind", "trainer", "network"),
    [(RewardRecipe, "RewardLoop", "LlamaForSequenceClassification"), (DpoRecipe, "DpoLoop", "LlamaForCausalLM")],
)
def test_the_kind_decides_trainer_and_network(assembled, kind, trainer, network):
    made = assembled(kind)
    assert (made.trainer.__name__, type(made.model).__name__) == (trainer, network)
    assert set(made.train.column_names) == {"prompt_ids", "chosen_ids", "rejected_ids"}
    assert (len(made.train), len(made.validation), made.counts.examples) == (2, 2, 2)
    row = made.train[0]
    text = made.tokenizer.decode(row["prompt_ids"] + row["chosen_ids"])
    assert text.endswith("쨰밌어요\n재밌어요</s>")


def test_the_base_says_how_rows_are_asked_and_its_form_is_kept(assembled, tiny_model, tmp_path, tokenizer_of):
    import shutil

    from hanpuri.data.chats import choose_template
    from hanpuri.data.recipe import ExampleSettings

    place = tmp_path / "model"
    shutil.copytree(tiny_model("llama"), place)
    save_prompting(place, choose_template("restoration"), ExampleSettings(), "pairs")
    made = assembled(model={"path": str(place)}, examples={})
    assert made.form == "pairs"
    expected = (
        make_prompting(made.template, tokenizer_of("bytes"), form="pairs").prompt({"noisy": "쨰밌어요"}, "1").text
    )
    assert made.tokenizer.decode(made.train[0]["prompt_ids"]).endswith(expected)


def test_answers_of_preferences_are_asked_as_the_model_is_asked(assembled):
    generation = {"generation": {"rows": 2, "max_new_tokens": 2, "measures": ["exact_match"]}}
    made = assembled(DpoRecipe, watch=generation)
    (scorer,) = made.scorers
    assert "exact_match" in scorer(made.model)
    assert [(one.reference, one.prompt) for one in scorer.last] == [
        ("재밌어요", "쨰밌어요\n"),
        ("좋아요", "조하요\n"),
    ]


def test_an_answer_longer_than_the_model_reads_is_refused_with_its_row(assembled):
    long = {"prompt": "조하요", "chosen": "좋아요", "rejected": "가" * 600}
    with pytest.raises(DataError) as error:
        assembled(rows=[ROWS[0], long], examples={"template": "plain", "max_length": 5000})
    assert error.value.message.endswith(" tokens, and the model has 512 positions")
    assert "pairs.jsonl:2: found " in error.value.message
