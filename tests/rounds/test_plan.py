"""What a round consists of: which steps, what each reads, and which model it begins with."""

import json
from pathlib import Path

import pytest

from hanpuri.errors import DataError
from hanpuri.rounds.plan import Policy, Step, plan_round, plan_start, start_policy
from hanpuri.rounds.rounds import inputs_of
from hanpuri.rounds.training import run_recipe, sources_with_rows
from tests.rounds.short_rounds import FIELDS, SFT

FOLDER = Path("runs/tried")
TRAINING = {"steps": 2, "batch_size": 4, "learning_rate": 1e-3}
REWARD = {"stage": "reward", "training": TRAINING}
GRPO = {"stage": "grpo", "rewards": ["model:reward"], "sampling": {"answers": 2}, "training": TRAINING}
SAMPLE, _, DPO = FIELDS["stages"]


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch):
    """A place with as much of a model as planning looks at."""
    monkeypatch.chdir(tmp_path)
    for name in ("base", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}", encoding="utf-8")


def steps_of(recipe, number=1, start=None):
    return {
        step.name.partition("/")[2]: step
        for step in plan_round(recipe, FOLDER, number, start or start_policy(recipe)).steps
    }


def test_a_round_makes_what_a_stage_needs_before_it_and_scores_the_model_behind_it(recipe_of):
    stages = [REWARD, {**SAMPLE, "score": ["model:reward"]}, {**SFT, "mix": "samples"}, {**DPO, "mix": "mistakes"}]
    assert list(steps_of(recipe_of(stages=stages))) == [
        *("prompts", "reward-pairs", "reward", "sample", "sft", "sft-score", "dpo-pairs", "dpo", "dpo-score"),
    ]
    assert [step.name for step in plan_start(recipe_of(), FOLDER).steps] == ["held-out", "round-0/score"]


def test_files_alone_need_no_pairs_of_the_round(recipe_of):
    assert "dpo-pairs" not in steps_of(recipe_of(stages__2__mix={"mine.jsonl": 1}))


def test_mistakes_are_those_of_the_model_as_it_stands_then(recipe_of):
    steps = steps_of(recipe_of(stages=[REWARD, {**SFT, "mix": "prompts"}, {**DPO, "mix": "mistakes"}]))
    assert steps["reward-pairs"].policy == Policy("base")
    assert steps["dpo-pairs"].policy == Policy("base", FOLDER / "round-1/sft/adapter")
    assert steps["dpo-pairs"].reads["adapter"] == FOLDER / "round-1/sft/adapter"


def test_the_whole_model_is_handed_on_where_there_is_no_adapter(recipe_of):
    steps = steps_of(recipe_of(adapter=None))
    assert steps["dpo"].policy == Policy("runs/tried/round-1/sft/model")
    assert run_recipe(steps["dpo"], recipe_of(adapter=None), FOLDER).model.path == "runs/tried/round-1/sft/model"


def test_a_stage_may_begin_with_the_first_model(recipe_of):
    recipe = recipe_of(stages__1__begin="first")
    steps = steps_of(recipe, 2, Policy("base", FOLDER / "round-1/dpo/adapter"))
    assert steps["sample"].policy == Policy("base", FOLDER / "round-1/dpo/adapter")
    assert steps["sft"].policy == Policy("base")
    assert run_recipe(steps["sft"], recipe, FOLDER).adapter.path is None


def test_a_reward_model_begins_with_the_base_or_with_another_one(recipe_of):
    stages = [{**REWARD, "adapter": {"r": 3}}, SAMPLE, SFT]
    assert steps_of(recipe_of(stages=stages))["reward"].policy == Policy("base")
    stages[0] = {**stages[0], "path": "other"}
    recipe = recipe_of(stages=stages)
    made = run_recipe(steps_of(recipe)["reward"], recipe, FOLDER)
    assert (made.kind, made.model.path, made.adapter.r) == ("reward", "other", 3)


def test_a_score_by_name_is_the_reward_model_of_the_round(recipe_of):
    recipe = recipe_of(stages=[REWARD, GRPO])
    step = steps_of(recipe, 3)["grpo"]
    assert step.reads["reward reward"] == FOLDER / "round-3/reward/model"
    (term,) = run_recipe(step, recipe, FOLDER).rewards
    assert (term.model, term.title) == ("runs/tried/round-3/reward", "reward")


def test_what_earlier_rounds_made_is_mixed_in_by_weight_and_the_first_round_has_none(recipe_of):
    recipe = recipe_of(stages__1__mix={"prompts": 1, "earlier_samples": 0.5})
    assert list(steps_of(recipe)["sft"].weights) == ["prompts"]
    step = steps_of(recipe, 3)["sft"]
    assert step.weights == {"prompts": 1, "earlier_samples of round 1": 0.25, "earlier_samples of round 2": 0.25}
    sources = run_recipe(step, recipe, FOLDER).data.sources
    assert [str(one.path) for one in sources] == [
        "runs/tried/round-3/prompts/prompts.jsonl",
        "runs/tried/round-1/sample/best.jsonl",
        "runs/tried/round-2/sample/best.jsonl",
    ]


def test_samples_of_earlier_rounds_may_come_from_a_stage_behind(recipe_of):
    recipe = recipe_of(stages=[{**SFT, "mix": ["prompts", "earlier_samples"]}, {**SAMPLE, "name": "drawn"}])
    assert steps_of(recipe, 2)["sft"].reads["earlier_samples of round 1"] == FOLDER / "round-1/drawn/best.jsonl"


def test_every_round_has_a_seed_of_its_own_and_each_stage_the_settings_that_it_was_given(recipe_of):
    recipe = recipe_of(seed=7)
    made = [run_recipe(steps_of(recipe, number)["sft"], recipe, FOLDER) for number in (1, 2)]
    assert [one.seed for one in made] == [8, 9]
    assert (made[0].kind, made[0].name, made[0].training.steps, made[0].examples.max_length) == ("sft", "sft", 2, 64)
    assert (made[0].data.validation_share, made[0].watch.evaluate_every) == (0.2, 2)


def test_paths_are_no_part_of_what_a_step_hangs_on(recipe_of):
    step = steps_of(recipe_of())["sample"]
    moved = plan_round(recipe_of(), Path("elsewhere"), 1, start_policy(recipe_of())).steps[1]
    assert (moved.name, moved.settings) == (step.name, step.settings)
    assert "runs" not in json.dumps(dict(step.settings))


def test_a_source_without_rows_is_left_out_while_another_has_some(tmp_path, recipe_of):
    full, empty = tmp_path / "full.jsonl", tmp_path / "empty.jsonl"
    full.write_text("{}\n", encoding="utf-8")
    empty.write_text("", encoding="utf-8")
    reads, weights = {"scores": empty, "mistakes": full}, {"scores": 1.0, "mistakes": 1.0}
    assert sources_with_rows(Step("round-1/dpo", "train", 1, Policy("base"), reads=reads, weights=weights)) == [
        "mistakes"
    ]


def test_what_a_step_reads_has_to_be_there():
    step = Step("round-1/sft", "train", 1, Policy("base"), reads={"prompts": Path("gone.jsonl")})
    with pytest.raises(DataError) as refused:
        inputs_of(step)
    found = "gone.jsonl: found nothing there, expected the prompts of round-1/sft"
    assert str(refused.value) == f"{found}; check the recipe"
