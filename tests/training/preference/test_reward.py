"""
Reward models from the recipe to the score: trained, killed and gone on with, kept, read back, refused where they write.

In: a tiny model of each architecture, whose tokenizer pads with eos, and pairs of which the better answer is polite.
Out: the same number for a text, whatever stands beside it.
"""

import json

import pytest
import torch

from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.errors import DataError, HanpuriError, ModelError, RecipeError
from hanpuri.recipe import check_settings
from hanpuri.runs import Run
from hanpuri.training.loading.models import load_model, read_config
from hanpuri.training.loading.rewards import load_new_rewards, load_rewards, padding_id
from hanpuri.training.preference.laying import PairCollator, lay
from hanpuri.training.preference.reward_model import RewardModel
from hanpuri.training.prompting import load_prompting
from hanpuri.training.recipe import ModelSettings, RewardRecipe
from hanpuri.training.train import train

ARCHITECTURES = ("llama", "qwen3", "gemma", "gemma2", "gemma3", "gpt-neox")
QUESTIONS = (
    "몇 시에 열어요",
    "바다가 보이나요",
    "강아지도 되나요",
    "주차할 곳이 있나요",
    "조식은 얼마예요",
    "걸어갈 수 있나요",
)
TEXTS = [[5, 6, 7, 2], [9, 2], [5, 6, 7, 8, 9, 10, 11, 2]]


class Killed(BaseException):
    """What no handler on the way expects, as little as a kill -9."""


@pytest.fixture(scope="module", autouse=True)
def quick_collections():
    """Each run collects garbage once; spare it the libraries."""
    import gc

    from hanpuri.training.loading.models import quiet_loading

    with quiet_loading():
        import hanpuri.training.preference.reward  # noqa: F401
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_curves(monkeypatch):
    """Leave out the page of curves, which takes as long as all steps together."""
    monkeypatch.setattr("hanpuri.training.loop.watching.Watch.draw_curves", lambda self, *, now=False: None)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A file of preferences: the polite answer is the better one, and sometimes the shorter."""
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    sides = [("네, 그럼요.", "몰라."), ("아니요, 죄송합니다.", "안 돼, 그냥 딴 데 알아봐라 좀.")]
    rows = [
        {"prompt": f"{question} {number}?", "chosen": chosen, "rejected": rejected}
        for number in range(4)
        for question in QUESTIONS
        for chosen, rejected in sides
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def recipe_of(base, pairs, training=None, watch=None, **other):
    fields = {
        "kind": "reward",
        "name": "kind",
        "model": {"path": str(base)},
        "data": {"path": str(pairs), "validation_share": 0.3},
        "examples": {"template": "koalpaca"},
        "training": {"batch_size": 4, "learning_rate": 2e-3, "steps": 12, **(training or {})},
        "watch": {"log_every": 4, "evaluate_every": 6, "best_by": "accuracy", **(watch or {})},
    }
    return check_settings("reward.yaml", RewardRecipe, {**fields, **other})


@pytest.fixture(scope="module")
def trained(tiny_model, pairs, tmp_path_factory):
    """A whole llama, a gemma with LoRA and a qwen3 with QLoRA, trained till they tell polite from rude."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hanpuri.training.loop.watching.Watch.draw_curves", lambda self, *, now=False: None)
        runs, adapter = tmp_path_factory.mktemp("runs"), {"r": 4, "dropout": 0.1}
        made = {}
        four_bits = {"path": str(tiny_model("qwen3")), "quantization": {"compute": "fp32"}}
        ways = {"llama": {}, "gemma": {"adapter": adapter}, "qwen3": {"adapter": adapter, "model": four_bits}}
        for architecture, way in ways.items():
            recipe = recipe_of(tiny_model(architecture), pairs, **way)
            made[architecture] = train(recipe, runs / architecture, measures={}, device="cpu")
        return made


# --- what a text is given


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_text_is_read_at_its_last_token_whatever_stands_beside_it(tiny_model, tmp_path, architecture):
    tokenizer = load_tokenizer(tiny_model(architecture))
    assert tokenizer.pad_id == tokenizer.eos_id == 2  # with which transformers would read one token too early
    pad_id = padding_id(tokenizer, load_prompting(tiny_model(architecture), tokenizer))
    settings = ModelSettings(path=str(tiny_model(architecture)))
    model = load_new_rewards(settings, learns_whole=True, device="cpu", seed=3, pad_id=pad_id)
    with torch.no_grad():
        hidden = [model.base_model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1] for ids in TEXTS]
        expected = torch.stack([model.score(one)[0] for one in hidden])
        alone = torch.cat([model(**lay([ids], pad_id)).logits[:, 0] for ids in TEXTS])
        together = model(**lay(TEXTS, pad_id)).logits[:, 0]
    assert torch.allclose(alone, expected, atol=1e-5)
    assert torch.allclose(together, expected, atol=1e-5)
    assert expected.abs().max() < 1  # a new head is near 0
    model.save_pretrained(tmp_path)
    again = load_rewards(tmp_path, device="cpu", pad_id=pad_id)
    with torch.no_grad():
        assert torch.allclose(again(**lay(TEXTS, pad_id)).logits[:, 0], expected, atol=1e-5)


@pytest.mark.parametrize("chat", [None, "chatml", "llama", "gemma", "qwen3"])
@pytest.mark.parametrize("kind", ["bytes", "unigram", "legacy", "characters"])
def test_padding_is_what_no_text_ends_in(tokenizer_of, tokenizer_folder, kind, chat):
    tokenizer = tokenizer_of(kind, chat)
    prompting = load_prompting(tokenizer_folder(kind, chat), tokenizer)
    found = padding_id(tokenizer, prompting)
    assert found not in (tokenizer.eos_id, *prompting.stop_ids)
    assert kind == "bytes" or found == tokenizer.pad_id


def test_a_text_that_ends_in_the_padding_is_a_wrong_call():
    with pytest.raises(ValueError, match="found no text or one that ends in 2, the id of the padding"):
        lay([[5, 2]], 2)
    batch = PairCollator(0)([{"prompt_ids": [5], "chosen_ids": [6, 2], "rejected_ids": [2]}])
    assert batch["input_ids"].tolist() == [[5, 6, 2], [5, 2, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]


def test_a_seed_gives_the_same_head_and_leaves_other_draws_alone(tiny_model):
    def head(seed):
        settings = ModelSettings(path=str(tiny_model("llama")))
        return load_new_rewards(settings, learns_whole=True, device="cpu", seed=seed, pad_id=0).score.weight

    torch.manual_seed(7)
    before = torch.get_rng_state()
    first = head(1)
    assert torch.equal(first, head(1))
    assert not torch.equal(first, head(2))
    assert torch.equal(before, torch.get_rng_state())


# --- a run


@pytest.mark.parametrize("architecture", ["llama", "gemma", "qwen3"])
def test_a_run_learns_and_keeps_what_scores_the_same(trained, pairs, architecture):
    done = trained[architecture]
    assert done.finished
    scores = done.result["scores"]
    assert set(scores) == {"loss", "accuracy", "margin", "calibration_error", "mean_reward"}
    assert scores["accuracy"] == 1.0
    told = json.loads((done.folder / "reward.json").read_text(encoding="utf-8"))
    assert {name: told[name] for name in scores} == pytest.approx(scores, abs=1e-5)
    assert sum(one["pairs"] for one in told["bins"]) == told["pairs"] > 0
    page = (done.folder / "reward.html").read_text(encoding="utf-8")
    assert "Every chosen answer wins." in page
    assert "</s>" not in page
    model = RewardModel.load(done.folder, device="cpu")
    rows = [json.loads(line) for line in pairs.read_text(encoding="utf-8").splitlines()]
    chosen, rejected = (model.score(rows, [row[side] for row in rows]) for side in ("chosen", "rejected"))
    assert all(better > worse for better, worse in zip(chosen, rejected, strict=True))
    assert done.weights.name == ("model" if architecture == "llama" else "adapter")


def test_a_line_of_the_metrics_tells_accuracy_margin_and_reward(trained):
    lines = Run(trained["llama"].folder).metrics()
    logged = next(line for line in lines if line.get("loss") is not None)
    assert {"accuracy", "margin", "mean_reward", "learning_rate", "grad_norm", "tokens"} <= logged.keys()
    assert {"eval_accuracy", "eval_margin", "eval_loss"} <= next(line for line in lines if "eval_loss" in line).keys()


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tiny_model, pairs, tmp_path):
    def run(name, step=None):
        def report(at, steps, line):
            if at == step and not line:
                raise Killed

        watch = {"log_every": 1, "evaluate_every": 4, "save_every": 2}
        recipe = recipe_of(tiny_model("llama"), pairs, {"steps": 6}, watch, adapter={"r": 4, "dropout": 0.2})
        return train(recipe, tmp_path / name, measures={}, device="cpu", report_step=report)

    whole = run("whole")
    with pytest.raises(Killed):
        run("cut", 3)
    cut = run("cut")
    figures = [
        [
            [value for name, value in line.items() if name not in ("time", "tokens_per_second")]
            for line in Run(done.folder).metrics()
            if "event" not in line
        ]
        for done in (whole, cut)
    ]
    assert figures[1] == [pytest.approx(line, abs=1e-5) for line in figures[0]]
    told = [json.loads((done.folder / "reward.json").read_text(encoding="utf-8")) for done in (whole, cut)]
    assert told[0]["margin"] == pytest.approx(told[1]["margin"], abs=1e-5)
    again = run("cut")
    assert (again.finished, again.step) == (True, 6)


def test_nothing_is_learnt_from_a_loss_that_is_no_number(tiny_model, pairs, tmp_path):
    recipe = recipe_of(tiny_model("llama"), pairs, {"learning_rate": 1e30, "warmup": 0, "max_grad_norm": 1e30})
    with pytest.raises(
        ModelError, match=r"^step \d+: found a (loss|gradient|reward) of (nan|inf) at a learning rate of"
    ):
        train(recipe, tmp_path / "run", measures={}, device="cpu")


# --- scoring


@pytest.fixture(scope="module")
def model(trained):
    return RewardModel.load(trained["llama"].folder, device="cpu", batch_size=3)


def test_the_batch_and_the_order_make_no_difference(trained, model):
    rows = [{"instruction": f"{'몇 시 ' * number}에 열어요?", "input": ""} for number in range(1, 8)]
    answers = ["네, 그럼요." * (8 - number) for number in range(1, 8)]
    expected = model.score(rows, answers)
    alone = RewardModel.load(trained["llama"].weights, device="cpu", batch_size=1).score(rows, answers)
    assert alone == pytest.approx(expected, abs=1e-5)
    assert model.score(rows[::-1], answers[::-1]) == pytest.approx(expected[::-1], abs=1e-5)
    assert model.score([], []) == []


def test_what_a_row_holds_of_an_answer_is_not_looked_at(model):
    asked = [
        {"instruction": "몇 시에 열어요?", "input": ""},
        {"instruction": "몇 시에 열어요?", "input": "", "output": "아홉 시요."},
        {"prompt": "몇 시에 열어요?"},
        {"prompt": "몇 시에 열어요?", "chosen": "가", "rejected": "나"},
    ]
    scores = model.score(asked, ["아홉 시에 열어요."] * 4)
    assert scores == pytest.approx([scores[0]] * 4, abs=1e-6)


def test_an_empty_answer_is_scored_too(model):
    (score,) = model.score([{"instruction": "몇 시에 열어요?", "input": ""}], [""])
    assert score == score


def test_what_cannot_be_scored_is_said_with_its_row(model):
    asked = {"instruction": "몇 시에 열어요?", "input": ""}
    with pytest.raises(ValueError, match="found 1 answers to 2 rows, expected as many"):
        model.score([asked] * 2, ["가"])
    with pytest.raises(DataError) as told:
        model.score([asked], ["가" * 600], ["faq.csv:3"])
    assert told.value.message.startswith("faq.csv:3: found ")
    assert told.value.message.endswith(" tokens, and the reward model reads 512")
    with pytest.raises(DataError) as told:
        model.score([{"stars": 5}], ["가"], ["faq.csv:3"])
    assert told.value.message.startswith("faq.csv:3: found the fields stars, expected those of one form: ")


def test_a_model_is_known_by_its_weights(trained, model):
    again = RewardModel.load(trained["llama"].folder, device="cpu")
    other = RewardModel.load(trained["gemma"].folder, device="cpu")
    assert model.identity == again.identity != other.identity
    assert model.identity.startswith("reward:")


# --- what is no place for a reward model, and what is none


def test_a_reward_model_does_not_write_and_what_writes_gives_no_rewards(trained, tiny_model, tmp_path):
    whole, adapter = trained["llama"].weights, trained["gemma"].weights
    told = {
        "goes on writing": lambda: load_model(ModelSettings(path=str(whole)), learns_whole=True, device="cpu"),
        "scores": lambda: read_config(tiny_model("llama"), rewards=True),
        "is no run": lambda: RewardModel.load(tmp_path, device="cpu"),
    }
    expected = {
        "goes on writing": f"{whole}: found LlamaForSequenceClassification, expected a causal language model such as"
        " LlamaForCausalLM; take a model that writes text from left to right",
        "scores": f"{tiny_model('llama')}: found LlamaForCausalLM, expected a reward model such as"
        " LlamaForSequenceClassification with one label; train one with a recipe of `kind: reward`",
        "is no run": f"{tmp_path}: found no config.json in this folder; give the folder of a model",
    }
    for name, refused in told.items():
        with pytest.raises(ModelError) as error:
            refused()
        assert str(error.value) == expected[name]
    from hanpuri.training.loading.adapters import read_base

    with pytest.raises(ModelError) as error:
        read_base(adapter)
    assert str(error.value) == (
        f"{adapter}: found a reward model's adapter, expected an adapter of a model that writes text;"
        " it gives scores: hanpuri score"
    )


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        # nothing to build on
        ({"model": {"scratch": {"hidden_size": 64, "num_layers": 1, "num_heads": 2}}}, "a reward model begins with a"),
        # an adapter of a model that writes would have to go on as another sort
        ({"adapter": {"path": "runs/sft"}}, "merge the old one first (hanpuri publish)"),
        # it has nothing to write with
        ({"watch": {"generation": {}}}, "a reward model writes no answers, take watch.generation out"),
        # what an evaluation does not give
        ({"watch": {"best_by": "reward"}}, "best_by is reward, this kind has loss and accuracy"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(changed, expected):
    fields = {"kind": "reward", "name": "a", "model": {"path": "m"}, "data": {"path": "p.jsonl"}}
    with pytest.raises(RecipeError) as error:
        check_settings("reward.yaml", RewardRecipe, {**fields, "training": {"steps": 1, "learning_rate": 1}, **changed})
    assert expected in str(error.value)


def test_rows_that_teach_nothing_are_refused_before_the_model_is_loaded(tiny_model, tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"prompt": "열어요?", "chosen": "네.", "rejected": "네."}\n', encoding="utf-8")
    with pytest.raises(HanpuriError) as error:
        train(recipe_of(tiny_model("llama"), path), tmp_path / "run", measures={}, device="cpu")
    assert error.value.message == f'{path}:1: found the same text in "chosen" and "rejected", expected two answers'
    assert not (tmp_path / "run").exists()
