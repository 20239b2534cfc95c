"""What a recipe of rounds may say, and in which words it is refused."""

import pytest

from hanpuri.errors import RecipeError
from hanpuri.recipe import check_settings
from hanpuri.rounds.recipe import RoundsRecipe
from hanpuri.rounds.stages import SampleStage, SftStage
from tests.rounds.short_rounds import FIELDS, SFT, changed

REWARD = {"stage": "reward", "training": {"steps": 2, "learning_rate": 1e-3}}
GRPO = {"stage": "grpo", "rewards": ["char_accuracy"], "training": {"steps": 2, "learning_rate": 1e-3}}
SAMPLE = FIELDS["stages"][0]
DPO = FIELDS["stages"][2]


def check(**changes):
    return check_settings("my.yaml", RoundsRecipe, changed(FIELDS, **changes))


def test_a_source_may_stand_for_itself_and_several_without_weights_count_the_same():
    mixes = [check(stages__1__mix=told).stages[1].mix for told in ("samples", ["samples", "prompts"])]
    assert mixes == [{"samples": 1.0}, {"samples": 1.0, "prompts": 1.0}]


def test_a_score_is_written_as_on_the_command_line_or_as_a_section():
    stages = [REWARD, {**SAMPLE, "score": ["model:reward*0.5", {"measure": "same_length"}]}, SFT]
    sample = check(stages=stages).stages[1]
    assert isinstance(sample, SampleStage)
    assert [(term.source, term.weight) for term in sample.score] == [("model", 0.5), ("measure", 1.0)]


def test_a_stage_has_the_defaults_of_its_own_kind():
    stage = check(stages=[{"stage": "sft", "training": {"epochs": 1, "learning_rate": 1e-4}}]).stages[0]
    assert isinstance(stage, SftStage)
    assert (stage.title, stage.mix, stage.begin, stage.examples.template) == ("sft", {"prompts": 1.0}, "last", "plain")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # an unknown stage, key or source: the nearest is named
        ({"stages__1__stage": "stf"}, "stages.1: there is no stage stf, did you mean sft?"),
        ({"stages__1__packin": True}, "stages.1.sft.packin: no such key, did you mean packing?"),
        (
            {"stages__1__mix": "promts"},
            "stages.1.sft.mix: there is no source promts, did you mean prompts? (found 'promts')",
        ),
        (
            {"stages__1__mix": "mistakes"},
            "stages.1.sft.mix: there is no source mistakes, expected prompts, samples, earlier_prompts, earlier_samples"
            " or a file (found 'mistakes')",
        ),
        # what a stage needs stands before it
        ({"stages": [SFT, SAMPLE]}, "sft learns from samples, and no stage `sample` stands before it"),
        ({"stages": [DPO]}, "dpo learns from scores, and no stage `sample` stands before it"),
        (
            {"stages": [{**SFT, "mix": ["prompts", "earlier_samples"]}]},
            "sft learns from earlier_samples, and there is no stage `sample`",
        ),
        (
            {"stages": [{**SAMPLE, "score": ["model:reward"]}, REWARD, SFT]},
            "sample scores by the model reward: no stage `reward` stands before it",
        ),
        (
            {"stages": [{**REWARD, "name": "kind"}, {**SAMPLE, "score": ["model:knid"]}, SFT]},
            "sample scores by the model knid: expected kind, or a folder",
        ),
        (
            {"stages__2__mix": {"earlier_pairs": 1}},
            "dpo learns from earlier_pairs and makes none: add mistakes, scores or judge",
        ),
        (
            {"stages__1__mix": {"earlier_prompts": 1}},
            "sft learns from earlier rounds alone, and the first has none",
        ),
        # what makes no sense
        ({"stages": [REWARD]}, "no stage trains the model: add sft, dpo, grpo or rloo to `stages`"),
        ({"stages": [SAMPLE, SFT, SFT]}, "two stages are called sft, give one a name"),
        ({"stages__1__name": "../sft"}, "the stage '../sft' gets a folder: name it with letters, digits, - and _"),
        (
            {"stages__0__score": []},
            "stages.0.sample.score: score is empty: name one or more, such as char_accuracy (found [])",
        ),
        (
            {"stages__2__mix": {"judge": 1}},
            "stages.2.dpo: mix names judge: give the recipe of one, judge: judge.yaml",
        ),
        (
            {"stages__2__dpo": {"reference": "runs/base"}},
            "stages.2.dpo: the reference of a round is the model before the stage, take dpo.reference out",
        ),
        ({"measure": "char_acuracy"}, "measure: no such measure, did you mean char_accuracy? (found 'char_acuracy')"),
        (
            {"model": {"path": "base", "adapter": "runs/sft"}},
            "an adapter that goes on stands in model.adapter alone, take `adapter` out",
        ),
        (
            {"adapter": None, "model": {"path": "base", "quantization": {}}},
            "a model in 4 bits cannot learn by itself: give `adapter` or model.adapter",
        ),
    ],
)
def test_what_is_refused_in_one_line(changes, message):
    with pytest.raises(RecipeError) as refused:
        check(**changes)
    assert str(refused.value) == f"my.yaml: {message}; mend these keys, or see the shipped recipes"


def test_reinforcement_may_stand_in_the_place_of_preferences():
    recipe = check(stages=[REWARD, {**GRPO, "rewards": ["model:reward", "same_length*0.2"]}])
    assert [stage.title for stage in recipe.stages] == ["reward", "grpo"]
