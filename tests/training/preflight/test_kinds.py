"""What the pre-flight says of pairs and of prompts."""

import numpy as np
import pytest

from hanpuri.data.examples import IGNORE, Counts
from hanpuri.data.records.records import Record
from hanpuri.errors import ModelError
from hanpuri.training.feeding.datasets import in_memory
from hanpuri.training.feeding.pairs import from_pairs, iterate_pairs
from hanpuri.training.preflight import kinds, preflight
from hanpuri.training.preflight.memory import estimate_memory
from hanpuri.training.preflight.proposals import propose
from hanpuri.training.preflight.rehearsal import Batch
from hanpuri.training.preflight.rendering import lines
from hanpuri.training.preflight.rows import Table
from hanpuri.training.prompting import make_prompting
from hanpuri.training.recipe import KINDS, AskSettings

from .conftest import ROWS, WATCHED

X = IGNORE

WORSE = "잘 모르겠습니다."


@pytest.fixture
def recipe_of(tiny_model):
    def make(kind, **sections):
        training = {"steps": 10, "learning_rate": 1e-3, "batch_size": 2, **sections.pop("training", {})}
        fields = {"kind": kind, "name": "tiny", "model": {"path": str(tiny_model())}, "data": {"path": "none.jsonl"}}
        watch = {"evaluate_every": 5}
        return KINDS[kind].model_validate({**fields, "training": training, "watch": watch, **sections})

    return make


@pytest.fixture
def pairs_of(parts):
    """Give the parts of a pre-flight whose rows are pairs."""

    def make(watched=WATCHED):
        told = parts()
        prompting = make_prompting(told.template, told.tokenizer)

        def lay(rows):
            fields = [{"prompt": asked, "input": "", "chosen": said, "rejected": WORSE} for asked, said in rows]
            records = [Record(row, str(place), "", f"pairs:{place}") for place, row in enumerate(fields)]
            return from_pairs(iterate_pairs(records, prompting, told.tokenizer, AskSettings(), Counts()))

        told.train, told.validation = lay(ROWS), lay(watched)
        return told

    return make


def look(recipe, told, **other):
    return preflight.preflight(recipe, **told.as_arguments(), device="cpu", **other)


def test_a_pair_is_shown_as_prompt_and_both_answers_with_their_ends(recipe_of, pairs_of):
    checked = look(recipe_of("dpo"), pairs_of())
    assert (checked.paired, checked.figures.rows, checked.figures.stops) == (True, 12, 12)
    shown = checked.rows[0]
    prompt, chosen, rejected = shown.text.split("chosen", 1)[0], *shown.text.split("chosen", 1)[1].split("rejected")
    assert prompt == "prompt    ### 질문: 고마워요\n\n### 답변:\n"
    assert chosen == "    ⟦ 천만에요.</s>⟧\n"
    assert rejected == f"  ⟦ {WORSE}</s>⟧"
    told = lines(checked)
    assert told[0] == f"pair 5: {shown.tokens} tokens, {shown.trained} trained"
    assert any(line.startswith("6 pairs of answers, ") for line in told)
    assert checked.warnings == ()
    assert checked.probe.fits


# labels of each row; the longest prompt before an answer that is learnt
@pytest.mark.parametrize(
    ("rows", "longest"),
    [
        ([[X, X, 5, 6], [X, X, X, 7]], 3),
        # of packed texts each has its own
        ([[X, X, 5, X, 6], [X, 7, 8, X, X, X, 9]], 3),
        # an answer that was cut off to nothing, and what fills a row up, are before no answer
        ([[X, 5], [X, X, X, X], [X, X, 6, X, X, X]], 2),
        # a prompt does not go on in the next row
        ([[X, 5, X, X], [X, 6]], 1),
        ([[5, 6], [7]], None),
        ([[X, X]], None),
    ],
)
def test_the_longest_prompt_is_one_that_an_answer_is_learnt_behind(rows, longest):
    columns = {"input_ids": [np.arange(len(row)) for row in rows], "labels": [np.array(row) for row in rows]}
    assert kinds.longest_learnt_prompt(Table(in_memory(columns))) == longest


def test_a_step_takes_both_answers_of_its_pairs(recipe_of, pairs_of):
    told = pairs_of()
    recipe = recipe_of("dpo")
    table = kinds.as_texts(told.train)
    places = kinds.largest_batch(recipe, table)
    assert len(places) == 2 * recipe.training.batch_size
    assert kinds.shape_of(recipe, table, places).length == table.lengths.max()
    checked = look(recipe, told, probe=False)
    assert checked.ahead.steps == 10
    assert checked.ahead.epochs == pytest.approx(10 / 3, abs=1e-3)  # 6 pairs, 2 a step
    assert checked.ahead.tokens_a_step == int(table.lengths.sum()) // 3


def test_prompts_to_watch_by_that_are_trained_on_are_told(recipe_of, pairs_of):
    checked = look(recipe_of("dpo"), pairs_of((*WATCHED, (ROWS[0][0], "다른 답입니다."))), probe=False)
    assert checked.warnings == (
        "1 of 3 pairs to watch by have a prompt that is trained on, too: the scores will be better than the model",
    )


def test_a_model_that_never_stops_at_the_end_of_the_answers_is_refused(recipe_of, pairs_of):
    told = pairs_of()
    told.model.generation_config.eos_token_id = 7
    told.model.config.eos_token_id = 7
    with pytest.raises(ModelError, match=r"generation stops at .*, and the answers end in </s>"):
        look(recipe_of("dpo"), told, probe=False)


BATCH = Batch(rows=4, length=32, trained=40)


@pytest.mark.parametrize(
    ("kind", "sections", "copies"),
    [
        # all weights learn: the reference is a whole model more
        ("dpo", {}, "weights"),
        # a new adapter: the model without it
        ("dpo", {"adapter": {"r": 4}}, None),
        ("grpo", {"rewards": [{"measure": "char_accuracy"}], "training": {"batch_size": 8}}, "weights"),
        # nothing to stay near to
        ("grpo", {"rewards": [{"longest": 9}], "training": {"batch_size": 8}, "grpo": {"beta": 0}}, None),
        ("reward", {}, None),
    ],
)
def test_the_reference_is_counted_where_there_is_one(recipe_of, parts, kind, sections, copies):
    told = estimate_memory(recipe_of(kind, **sections), parts().model.config, BATCH, device="cpu")
    assert told.reference == (getattr(told, copies) if copies else 0)
    assert told.total >= told.weights + told.reference


def test_an_adapter_that_goes_on_is_counted_as_large_as_it_is(recipe_of, parts, tiny_model, tmp_path):
    from hanpuri.training.loading.adapters import attach_adapter, count_parameters, save_adapter
    from hanpuri.training.loading.models import load_model

    recipe = recipe_of("dpo", adapter={"r": 7})
    model = attach_adapter(load_model(recipe.model, learns_whole=False, device="cpu"), recipe.adapter, 0)
    save_adapter(model, tmp_path)
    told = estimate_memory(recipe_of("dpo", adapter={"path": str(tmp_path)}), parts().model.config, BATCH, device="cpu")
    assert told.adapter == told.reference == 4 * count_parameters(model).trainable


def test_the_batch_of_prompts_has_room_for_the_answers(recipe_of, parts):
    told = parts()
    rewards = {"rewards": [{"measure": "char_accuracy"}], "training": {"batch_size": 4, "accumulation": 2}}
    recipe = recipe_of("grpo", **rewards, sampling={"answers": 4, "max_new_tokens": 50})
    table = kinds.as_texts(told.train)
    prompts = [int((np.asarray(row["labels"]) == -100).sum()) for row in told.train]
    batch = kinds.shape_of(recipe, table, kinds.largest_batch(recipe, table))
    assert batch == Batch(rows=4, length=max(prompts) + 50, trained=200)
    checked = look(recipe, told, probe=False)
    assert checked.memory.answers > 0
    assert checked.ahead.epochs == pytest.approx(10 / 3, abs=1e-3)  # 6 prompts of 4 answers, 8 answers a step


def test_proposals_keep_to_what_the_kind_has(recipe_of, parts, tiny_model):
    config, batch = parts().model.config, Batch(rows=2, length=256, trained=200)
    recipe = recipe_of("dpo", dpo={"reference": str(tiny_model())}, training={"batch_size": 1})
    memory = estimate_memory(recipe, config, batch, device="cpu", available=1 << 20)
    found, least = propose(recipe, config, batch, memory, device="cpu", lengths=[256] * 8)
    assert found == []  # a megabyte is too little for any of them
    assert least < memory.total
