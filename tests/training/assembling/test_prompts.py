"""Recipes of GRPO and RLOO put together: what is asked, refused, counted; and a whole run from its recipe."""

import json
import shutil
from pathlib import Path

import pytest

from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.errors import DataError, ModelError, RecipeError
from hanpuri.preferences.rewards import open_rewards
from hanpuri.training.assembling.prompts import assemble_prompts
from hanpuri.training.recipe import GrpoRecipe, RlooRecipe
from hanpuri.training.train import look_ahead, train

PAIRS = [{"noisy": "쨰밌어요", "clean": "재밌어요"}, {"noisy": "넙고 죠아요", "clean": "넓고 좋아요"}]
MEASURES = dict.fromkeys(("char_accuracy", "exact_match", "token_f1"), lambda said, right: 0.5)


@pytest.fixture
def recipe_of(tmp_path, tiny_model):
    """Write rows, and make a recipe on them."""

    def make(rows=PAIRS, kind="grpo", chat=None, **changed):
        for name, count in (("rows", 2), ("watched", 1)):
            lines = (json.dumps(row, ensure_ascii=False) for row in rows * count)
            (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
        sections = {
            "model": {"path": str(tiny_model("llama", chat))},
            "data": {"path": str(tmp_path / "rows.jsonl"), "validation": str(tmp_path / "watched.jsonl")},
            "sampling": {"answers": 4, "max_new_tokens": 6},
            "training": {"steps": 2, "batch_size": 8, "learning_rate": 1e-3, "warmup": 0},
            "examples": {"template": "plain"},
        }
        for name, section in sections.items():
            sections[name] = {**section, **changed.pop(name, {})}
        fields = {"kind": kind, "name": "tried", "rewards": [{"measure": "char_accuracy"}], **sections, **changed}
        return (GrpoRecipe if kind == "grpo" else RlooRecipe).model_validate(fields)

    return make


def assembled(recipe, tmp_path):
    with open_rewards(recipe.rewards) as rewards:
        given = {"device": "cpu", "measures": MEASURES, "rewards": rewards, "report": lambda *_: None}
        return assemble_prompts(recipe, tmp_path, **given)


INSTRUCTION = {"instruction": "몇 시에 열어요?", "input": "", "output": "아홉 시요."}
MESSAGES = {"messages": [{"role": "user", "content": "몇 시?"}, {"role": "assistant", "content": "아홉 시요."}]}
PREFERENCE = {"prompt": "몇 시에 열어요?", "chosen": "아홉 시요.", "rejected": "몰라요."}


# a row, the template, what the model is asked
@pytest.mark.parametrize(
    ("row", "template", "asked"),
    [
        (PAIRS[0], "plain", "쨰밌어요\n"),
        ({"text": "옛날에"}, "plain", "옛날에"),
        (INSTRUCTION, "koalpaca", "### 질문: 몇 시에 열어요?\n\n### 답변:"),
        (PREFERENCE, "koalpaca", "### 질문: 몇 시에 열어요?\n\n### 답변:"),
        (INSTRUCTION, "chat", "<|im_start|>user\n몇 시에 열어요?<|im_end|>\n<|im_start|>assistant\n"),
        (MESSAGES, "chat", "<|im_start|>user\n몇 시?<|im_end|>\n<|im_start|>assistant\n"),
    ],
)
def test_rows_of_every_form_are_asked_as_the_template_says(recipe_of, tmp_path, row, template, asked):
    recipe = recipe_of([row] * 2, chat="chatml", examples={"template": template}, rewards=[{"longest": 9}])
    made = assembled(recipe, tmp_path)
    questions = made.trainer.questions
    assert [made.tokenizer.decode(question.ids) for question in questions.asked] == [asked] * 4
    assert made.train["prompt"] == ["0", "1", "2", "3"]
    ends = {made.tokenizer.piece(id) for id in questions.ends.ids}
    assert ends == ({"</s>", "<|im_end|>"} if template == "chat" else {"</s>"})


def test_epochs_are_counted_in_prompts_and_not_in_answers(recipe_of, tmp_path):
    training = {"steps": None, "epochs": 3, "batch_size": 4, "accumulation": 2}
    assert assembled(recipe_of(PAIRS * 2, training=training), tmp_path).steps == 12  # 8 prompts, 2 a step, 3 times
    recipe = recipe_of(PAIRS * 2, training=training, grpo={"iterations": 2})
    assert assembled(recipe, tmp_path).steps == 24


LONG = {"noisy": "쨰밌어요 " * 40, "clean": "재밌어요 " * 40}

# rows, what of the recipe is otherwise, what is said
REFUSED = [
    (
        PAIRS,
        {"training": {"batch_size": 24}},
        DataError,
        "{rows}: found 4 prompts, and one step takes 6; give more rows, or lower training.batch_size or accumulation",
    ),
    (
        [LONG, *PAIRS],
        {"examples": {"max_length": 100}},
        DataError,
        "found 2 rows that cannot be learnt from: {rows}:1: found a prompt of 242 tokens, which with"
        " sampling.max_new_tokens 6 goes over examples.max_length 100; {rows}:4: found a prompt of 242 tokens, which"
        " with sampling.max_new_tokens 6 goes over examples.max_length 100; shorten it, lower"
        " sampling.max_new_tokens, or say examples.too_long: drop",
    ),
    (
        [*PAIRS, {"noisy": "또 갈꼐욥 " * 3, "clean": "또 갈게요 " * 3}],
        {"sampling": {"max_new_tokens": 490}},
        DataError,
        "found 2 rows that cannot be learnt from: {rows}:3: found a prompt of 32 tokens, which with"
        " sampling.max_new_tokens 490 goes over the model's 512 positions; {rows}:6: found a prompt of 32 tokens,"
        " which with sampling.max_new_tokens 490 goes over the model's 512 positions; shorten it, lower"
        " sampling.max_new_tokens, or say examples.too_long: drop",
    ),
    (
        [{"noisy": "쨰밌</s>", "clean": "재밌"}, PAIRS[0]],
        {},
        DataError,
        "found 2 rows that cannot be learnt from: {rows}:1: found the special token </s> spelled out in the text,"
        " which is a sign to the model; {rows}:3: found the special token </s> spelled out in the text, which is a"
        " sign to the model; take it out of the text",
    ),
    (
        [{"text": "옛날에"}] * 2,
        {},
        DataError,
        "found 4 rows that cannot be learnt from: {rows}:1: found no right answer, and the reward char_accuracy"
        " compares with one; {rows}:2: found no right answer, and the reward char_accuracy compares with one; {rows}:3:"
        " found no right answer, and the reward char_accuracy compares with one; {rows}:4: found no right answer, and"
        " the reward char_accuracy compares with one; fill it in, or take the reward out",
    ),
]


@pytest.mark.parametrize(("rows", "changed", "error", "said"), REFUSED)
def test_what_cannot_be_learnt_from_is_said_before_anything_is_loaded(
    recipe_of, tmp_path, monkeypatch, rows, changed, error, said
):
    def never(*_, **__):
        raise AssertionError("the model was loaded")

    monkeypatch.setattr("hanpuri.training.assembling.prompts.load", never)
    with pytest.raises(error) as raised:
        assembled(recipe_of(rows, **changed), tmp_path)
    assert str(raised.value) == said.replace("{rows}", str(tmp_path / "rows.jsonl"))


def test_rows_that_are_too_long_are_left_out_and_counted_where_the_recipe_says_so(recipe_of, tmp_path):
    made = assembled(recipe_of([LONG, *PAIRS], examples={"max_length": 100, "too_long": "drop"}), tmp_path)
    assert (len(made.train), made.counts.rows, dict(made.counts.dropped)) == (4, 6, {"no room for an answer": 2})


def test_a_template_whose_end_is_no_token_is_refused(recipe_of, tmp_path):
    path = Path(tmp_path, "mine.yaml")
    path.write_text('prompt_input: "{input}\\n"\nstop: "###"\n', encoding="utf-8")
    with pytest.raises(RecipeError) as error:
        assembled(recipe_of(examples={"template": str(path)}), tmp_path)
    assert str(error.value) == (
        "the template ends an answer with the text '###', expected a token that stands for its end alone;"
        " take a template whose stop is a special token of the model, or that has none"
    )


def test_a_recipe_is_trained_from_its_rewards_to_a_model_that_says_how_to_ask_it(recipe_of, tmp_path):
    (tmp_path / "mine.py").write_text("def even(rows, answers): return [len(a) % 2 for a in answers]", encoding="utf-8")
    rewards = [{"measure": "same_length"}, {"function": f"{tmp_path / 'mine.py'}:even", "weight": 0.5}]
    recipe = recipe_of(kind="rloo", adapter={"r": 4}, rewards=rewards)
    given = {"measures": MEASURES, "open_rewards": open_rewards, "device": "cpu"}
    checked = look_ahead(recipe, tmp_path / "runs", **given)
    assert checked.ahead.steps == 2
    trained = train(recipe, tmp_path / "runs" / "tried", **given)
    assert trained.finished
    assert {"reward", "reward_same_length", "reward_even", "char_accuracy"} <= trained.result["scores"].keys()
    assert trained.weights == tmp_path / "runs" / "tried" / "adapter"
    assert "form: pairs" in (trained.weights / "prompt_template.yaml").read_text(encoding="utf-8")
    assert train(recipe, tmp_path / "runs" / "tried", **given).step == 2  # finished: nothing is done again


def test_a_function_that_fails_in_a_run_ends_it_in_one_line(recipe_of, tmp_path):
    (tmp_path / "mine.py").write_text("def bad(rows, answers): return answers", encoding="utf-8")
    recipe = recipe_of(rewards=[{"function": f"{tmp_path / 'mine.py'}:bad"}])
    with pytest.raises(
        (RecipeError, ModelError), match=r"mine\.py:bad: found the text .*, expected a number, at the row"
    ):
        train(recipe, tmp_path / "run", measures=MEASURES, open_rewards=open_rewards, device="cpu")


def test_a_reward_model_rewards_what_it_would_score(recipe_of, tiny_model, tmp_path):
    from hanpuri.training.loading.rewards import load_new_rewards
    from hanpuri.training.preference.reward_model import RewardModel
    from hanpuri.training.recipe import ModelSettings
    from hanpuri.training.reinforcement.reward import score_answers

    base, folder = tiny_model("llama"), tmp_path / "reward"
    shutil.copytree(base, folder)
    pad_id = load_tokenizer(base).pad_id
    network = load_new_rewards(ModelSettings(path=str(base)), learns_whole=True, device="cpu", seed=0, pad_id=pad_id)
    network.save_pretrained(folder)
    rewards = [{"model": str(folder), "name": "polite"}, {"longest": 9, "weight": 0.1}]
    recipe = recipe_of(rewards=rewards, grpo={"beta": 0})
    row, answers = PAIRS[0], ["재밌어요", "몰라"]
    with open_rewards(recipe.rewards) as opened:
        given = score_answers(opened[0], [row, row], answers)
    assert given == RewardModel.load(folder).score([row, row], answers)
    assert train(recipe, tmp_path / "run", measures=MEASURES, open_rewards=open_rewards, device="cpu").finished
