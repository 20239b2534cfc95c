"""Runs of GRPO and RLOO: what is asked, rewarded, learnt and told, and that a run that was cut off goes on exactly."""

import json
import math
import signal
from dataclasses import replace

import pytest
import torch

from hanpuri.data.examples import prompt_ids
from hanpuri.errors import ModelError
from hanpuri.runs.metrics import read_lines
from hanpuri.training.loading.models import load_model
from hanpuri.training.loop.trainer import run_loop
from hanpuri.training.reinforcement.reward import Reward

from .conftest import PAIRS, REWARDS, lines_of, nearness, vowels

FIGURES = {"reward", "reward_vowels", "reward_nearness", "char_accuracy", "exact_match", "token_f1", "unscored"}
FIGURES |= {"unfinished", "mean_length", "repetition", "empty"}
STEP = {"step", "epoch", "loss", "learning_rate", "grad_norm", "tokens", "reward", "reward_std", "reward_vowels"}
STEP |= {"reward_nearness", "kl", "entropy", "mean_length", "clipped", "alike", "unscored", "repetition", "empty"}


class Killed(BaseException):
    """What no handler on the way expects, as little as a kill -9."""


def killed_at(step):
    """A report that ends the process, as it were, when a step is done and before it is saved."""

    def report(at, steps, line):
        if at == step and not line:
            raise Killed

    return report


def weights_of(model):
    return torch.cat([weight.detach().flatten().float() for weight in model.parameters() if weight.requires_grad])


def figures_of(run):
    """What a run has logged, event lines left out: those say where it was cut off."""
    return [[*line.values()] for line in lines_of(run, "loss", "eval_reward")]


# kind: grpo and rloo; whole or adapter; batch and accumulation: the answers to one prompt may lie in two batches
@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("grpo", {"training": {"batch_size": 2, "accumulation": 4}}),
        ("rloo", {"adapter": {"r": 4, "dropout": 0.2}}),
    ],
)
def test_a_run_asks_rewards_learns_and_keeps_its_samples(recipe_of, run_of, material_of, kind, changed):
    recipe = recipe_of(kind, **changed)
    asked = []

    def spied(rows, answers):
        asked.extend(row["clean"] for row in rows)
        return vowels(rows, answers)

    run, material = run_of(recipe), material_of(recipe, (Reward("vowels", 1.0, spied), REWARDS[1]))
    before = weights_of(material.model)
    result = run_loop(recipe, run, material, device="cpu")
    assert (result.finished, result.step, result.scores.keys()) == (True, 4, FIGURES)
    assert not torch.equal(weights_of(material.model), before)
    lines = lines_of(run, "loss")
    assert [line.keys() for line in lines] == [STEP] * 4
    total = [line["reward_vowels"] + 0.5 * line["reward_nearness"] for line in lines]
    assert [line["reward"] for line in lines] == pytest.approx(total, abs=1e-5)
    assert lines[0]["kl"] == pytest.approx(0, abs=1e-5)  # the reference is the model before the first step
    assert lines[-1]["kl"] != 0
    assert lines[-1]["tokens"] == result.tokens > 4 * 8 * 2
    assert [line["step"] for line in lines_of(run, "eval_reward")] == [0, 2, 4]
    samples = list(read_lines(run.folder / "samples.jsonl"))
    assert [line["step"] for line in samples] == [0, 0, 2, 2, 4, 4]
    assert {line["asked"]: line["right"] for line in samples} == dict(PAIRS[:2])
    assert samples[0]["reward"] == pytest.approx(samples[0]["reward_vowels"] + 0.5 * samples[0]["reward_nearness"])
    assert (run.folder / "samples.html").is_file()
    assert "step 2: sample " in (run.folder / "train.log").read_text(encoding="utf-8")
    steps = [asked[start : start + 8] for start in range(2, 10, 8)]  # behind the evaluation of two rows
    assert all(len(set(step[:4])) == 1 == len(set(step[4:])) for step in steps)  # four answers to one prompt


@pytest.mark.parametrize("kind", ["grpo", "rloo"])
def test_what_is_rewarded_is_learnt(recipe_of, run_of, material_of, kind):
    recipe = recipe_of(
        kind,
        **{kind: {"beta": 0}},
        training={"steps": 24, "batch_size": 32, "learning_rate": 1e-2, "schedule": "constant"},
        watch={"evaluate_every": 24},
        sampling={"answers": 8},
    )
    run = run_of(recipe)
    run_loop(recipe, run, material_of(recipe, (REWARDS[0], Reward("nearness", 1e-6, nearness))), device="cpu")
    rewards = [line["reward_vowels"] for line in lines_of(run, "loss")]
    assert sum(rewards[-3:]) / 3 > sum(rewards[:3]) / 3 + 0.15


def test_the_model_is_asked_with_our_tokens_and_its_answers_are_read_as_engines_read_them(recipe_of, material_of):
    recipe = recipe_of()
    questions = material_of(recipe).trainer.questions
    prompting, tokenizer = questions.prompting, questions.tokenizer
    first = questions.asked[0]
    asked = prompting.prompt({"noisy": PAIRS[0][0]}, "1")
    assert list(first.ids) == prompt_ids(asked, tokenizer)
    answer = tokenizer.encode("재밌어요", after="\n")
    assert questions.read([*answer, tokenizer.eos_id, *answer]) == "재밌어요"
    assert questions.read(answer[:-1])[:2] == "재밌"  # a character cut in the middle is left out, and none is U+FFFD
    assert "\ufffd" not in questions.read(answer[:-1])


def test_a_run_that_was_cut_off_goes_on_as_if_it_never_was(recipe_of, run_of, material_of):
    changed = {
        "training": {"steps": 7, "learning_rate": 3e-3},
        "grpo": {"iterations": 2},  # a checkpoint in the middle of answers that are learnt from twice
        "watch": {"evaluate_every": 3},
        "data": {"rows": 5},  # two prompts a step, four steps an epoch: the second epoch has another order
        "adapter": {"r": 4},
    }
    recipe = recipe_of(**changed)
    whole, material = run_of(recipe, "whole"), material_of(recipe)
    run_loop(recipe, whole, material, device="cpu")
    cut = run_of(recipe, "cut")
    with pytest.raises(Killed):
        run_loop(recipe, cut, material_of(recipe), device="cpu", report=killed_at(5))
    again = material_of(recipe)
    result = run_loop(recipe, cut, again, device="cpu")
    assert result.finished
    assert figures_of(cut) == figures_of(whole)
    assert torch.equal(weights_of(again.model), weights_of(material.model))
    samples = [[{**line, "time": 0} for line in read_lines(run.folder / "samples.jsonl")] for run in (whole, cut)]
    assert samples[0] == samples[1]
    assert [line["event"] for line in lines_of(cut, "event")].count("resumed") == 1


def test_an_adapter_that_goes_on_stays_near_to_what_it_was_and_leaves_no_copy(recipe_of, run_of, material_of, tmp_path):
    first = recipe_of(adapter={"r": 4}, training={"steps": 2, "learning_rate": 1e-2})
    run_loop(first, run_of(first, "first"), material_of(first), device="cpu")
    recipe = recipe_of(adapter={"path": str(tmp_path / "first")}, training={"learning_rate": 1e-2})
    run, material = run_of(recipe, "second"), material_of(recipe)
    start = {name: weight.clone() for name, weight in material.model.named_parameters() if weight.requires_grad}
    seen = []

    class Spy(type(material.trainer)):
        def __call__(self, *parts):
            seen.append(super().__call__(*parts))
            return seen[0]

    trainer = Spy(material.trainer.kind, material.trainer.questions)
    with pytest.raises(Killed):
        run_loop(recipe, run, replace(material, trainer=trainer), device="cpu", report=killed_at(3))
    copies = {name: weight for name, weight in seen[0].model.named_parameters() if ".ref." in name}
    assert len(copies) == len(start)
    assert all(torch.equal(weight, start[name.replace(".ref.", ".default.")]) for name, weight in copies.items())
    assert not any(weight.requires_grad for weight in copies.values())
    kept = [path.relative_to(run.folder).as_posix() for path in run.folder.rglob("*") if "ref" in path.parts]
    assert kept == []
    again = material_of(recipe)
    run_loop(recipe, run, again, device="cpu")
    kls = [line["kl"] for line in lines_of(run, "kl")]
    assert kls[0] == pytest.approx(0, abs=1e-5)
    assert kls[3] > 0
    assert [*again.model.peft_config] == ["default"]
    assert not [name for name, _ in again.model.named_parameters() if ".ref." in name]


# embeddings: their weights have `default` at the end of the name, where TRL's own copying passes them over
@pytest.mark.parametrize("target", [{"target_modules": ["embed_tokens", "q_proj"]}, {"modules_to_save": ["lm_head"]}])
def test_the_copy_of_an_adapter_is_all_of_it(recipe_of, material_of, target):
    from hanpuri.training.reinforcement.reference import freeze_copy, take_off

    recipe = recipe_of(adapter={"r": 4, **target})
    model = material_of(recipe).model
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data.uniform_()
    ids = torch.arange(10, 20)[None]
    before = model.eval()(input_ids=ids).logits
    learning = {name for name, weight in model.named_parameters() if weight.requires_grad}
    going_on = recipe.model_copy(update={"adapter": recipe.adapter.model_copy(update={"path": "there"})})
    freeze_copy(going_on, model)
    model.eval()
    assert {name for name, weight in model.named_parameters() if weight.requires_grad} == learning
    for name, weight in model.named_parameters():
        if name in learning:
            weight.data.zero_()
    model.set_adapter("ref")
    assert torch.allclose(model(input_ids=ids).logits, before, atol=1e-5)
    model.set_adapter("default")
    take_off(model)
    assert {name for name, weight in model.named_parameters() if weight.requires_grad} == learning


def test_what_the_model_says_of_its_own_generation_rules_nothing_and_stays_as_it_was(recipe_of, run_of, material_of):
    recipe = recipe_of(training={"steps": 1})
    material = material_of(recipe)
    own = material.model.generation_config
    own.suppress_tokens, own.repetition_penalty, own.max_length = list(range(10, 900)), 9.0, 3
    before, pads = own.to_dict(), (material.model.config.pad_token_id, material.tokenizer.fast.pad_token)
    answers = []

    def spied(rows, given):
        answers.extend(given)
        return vowels(rows, given)

    trainer = material.trainer
    rewards = (Reward("vowels", 1.0, spied), Reward("nearness", 0.5, nearness))
    questions = replace(trainer.questions, rewards=rewards)
    run_loop(recipe, run_of(recipe), replace(material, trainer=replace(trainer, questions=questions)), device="cpu")
    assert any(len(answer.strip()) > 2 for answer in answers)  # with what the model says, all of it is suppressed
    assert material.model.generation_config.to_dict() == before
    assert (material.model.config.pad_token_id, material.tokenizer.fast.pad_token) == pads
    kept = load_model(
        recipe.model.model_copy(update={"path": str(run_of(recipe).folder)}), learns_whole=True, device="cpu"
    )
    assert kept.config.pad_token_id == pads[0]


def test_an_answer_that_could_not_be_scored_pushes_nowhere_and_is_counted(recipe_of, run_of, material_of):
    recipe = recipe_of(training={"steps": 1})

    def partly(rows, answers):
        return [None if place % 4 == 0 else score for place, score in enumerate(vowels(rows, answers))]

    run = run_of(recipe)
    run_loop(recipe, run, material_of(recipe, (Reward("vowels", 1.0, partly), REWARDS[1])), device="cpu")
    assert lines_of(run, "loss")[0]["unscored"] == 0.25
    assert [line["eval_unscored"] for line in lines_of(run, "eval_unscored")] == [0.5, 0.5]


# what a reward gives in the first step, and what is said
@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            math.inf,
            "train.jsonl:{row}: the reward vowels gave inf for the answer {answer}, expected a number; mend the",
        ),
        (
            "good",
            "train.jsonl:{row}: the reward vowels gave 'good' for the answer {answer}, expected a number; mend the",
        ),
        (
            math.nan,
            "the reward vowels scored none of the 8 answers of a step, that to {row} first; see why it gives no",
        ),
    ],
)
def test_a_reward_that_is_no_number_ends_the_run_in_one_line(recipe_of, run_of, material_of, given, told):
    recipe = recipe_of()
    calls = []

    def broken(rows, answers):
        calls.append(rows)
        return vowels(rows, answers) if len(calls) == 1 else [given] * len(rows)

    with pytest.raises(ModelError) as error:
        run_loop(recipe, run_of(recipe), material_of(recipe, (Reward("vowels", 1.0, broken), REWARDS[1])), device="cpu")
    said = str(error.value)
    assert all(part in said for part in told.replace("{row}", "|").replace("{answer}", "|").split("|"))


def test_a_run_whose_prompts_are_known_by_heart_says_so_once_and_goes_on(recipe_of, run_of, material_of, pairs_of):
    watched = {clean for _, clean in PAIRS[:2]}

    def learnt(rows, answers):
        return [0.5 if row["clean"] in watched else 0.95 for row in rows]

    recipe = recipe_of(data={"path": str(pairs_of("others.jsonl", PAIRS[2:] * 2))})
    rewards = (Reward("char_accuracy", 1.0, learnt, needs_answer=True), REWARDS[0])
    run = run_of(recipe)
    result = run_loop(recipe, run, material_of(recipe, rewards), device="cpu")
    told = [line for line in lines_of(run, "event") if line["event"] == "by_heart"]
    assert [line["step"] for line in told] == [1]
    assert told[0]["message"].startswith("the prompts are known by heart: char_accuracy is 0.950 on them and 0.500 on")
    assert (result.finished, result.stopped_early) == (True, None)


def test_signs_of_a_hacked_reward_stop_a_run_that_says_so_and_its_end_is_kept(recipe_of, run_of, material_of):
    changed = {"hacking": {"action": "stop", "entropy": 0.99}, "training": {"steps": 30, "learning_rate": 3e-2}}
    recipe = recipe_of(**changed, watch={"evaluate_every": 30}, grpo={"beta": 0})
    run = run_of(recipe)
    result = run_loop(recipe, run, material_of(recipe), device="cpu")
    events = lines_of(run, "event")
    hacking = [line for line in events if line["event"] == "hacking"]
    assert len(hacking) == 1
    assert hacking[0]["message"].startswith("the model has hardly any choice left: entropy ")
    assert result.finished
    assert result.step < 30
    assert result.stopped_early == "a sign of a hacked reward: entropy"
    assert result.step == result.best_step == hacking[0]["step"]
    assert (run.folder / "model" / "model.safetensors").is_file()


def test_a_reward_that_is_always_the_same_is_said_once_and_stops_nothing(recipe_of, run_of, material_of):
    recipe = recipe_of("rloo", hacking={"action": "stop"})
    same = tuple(replace(reward, score=lambda rows, answers: [1.0] * len(rows)) for reward in REWARDS)
    run = run_of(recipe)
    assert run_loop(recipe, run, material_of(recipe, same), device="cpu").stopped_early is None
    assert [line["alike"] for line in lines_of(run, "loss")] == [1.0] * 4  # also where KL tells answers apart
    said = [line["message"] for line in lines_of(run, "event") if line["event"] == "no_spread"]
    told = "nothing is learnt from 100% of the prompts: all answers to one got the same reward; see samples.html"
    assert said == [told]


def test_ctrl_c_between_two_passes_over_the_same_answers_loses_nothing(recipe_of, run_of, material_of):
    recipe = recipe_of(grpo={"iterations": 3}, training={"steps": 4})
    whole, material = run_of(recipe, "whole"), material_of(recipe)
    run_loop(recipe, whole, material, device="cpu")
    cut = run_of(recipe, "cut")

    def interrupting(step, steps, line):
        if step == 1 and not line:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_loop(recipe, cut, material_of(recipe), device="cpu", report=interrupting)
    kept = cut.folder / "checkpoints" / "checkpoint-1"
    assert (kept / "answers-0.pt").is_file()
    assert json.loads((kept / "signs.json").read_text())["start"]["mean_length"] > 0
    again = material_of(recipe)
    run_loop(recipe, cut, again, device="cpu")
    assert torch.equal(weights_of(again.model), weights_of(material.model))
