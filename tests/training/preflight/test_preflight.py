"""The whole pre-flight, on tiny models."""

import io
import json

import numpy as np
import pytest
import torch
from rich.console import Console

from hanpuri.data.examples import Counts
from hanpuri.data.templates import load_template
from hanpuri.errors import DataError, ModelError
from hanpuri.training.feeding.datasets import from_blocks
from hanpuri.training.loading.adapters import attach_adapter
from hanpuri.training.loading.models import load_model
from hanpuri.training.preflight import preflight as door
from hanpuri.training.preflight.memory import tell_bytes
from hanpuri.training.preflight.preflight import preflight
from hanpuri.training.preflight.rendering import show
from hanpuri.training.recipe import PretrainRecipe


def check(recipe, given, **told):
    return preflight(recipe, device="cpu", **given.as_arguments(), **told)


def shown(checked):
    out = io.StringIO()
    show(checked, Console(file=out, width=100))
    return out.getvalue()


def test_what_is_found_is_shown_and_kept(parts, make_recipe):
    given = parts()
    counts = Counts(rows=9, examples=6, truncated=1)
    counts.dropped["over max_length"] = 2
    checked = check(make_recipe(given.model.name_or_path), given, counts=counts)
    assert json.loads(json.dumps(checked.as_dict()))["left_out"] == {"over max_length": 2, "truncated": 1}
    text = shown(checked)
    assert [row.tokens for row in checked.rows] == sorted(row.tokens for row in checked.rows)
    assert "  ### 질문: 고마워요\n  \n  ### 답변:⟦ 천만에요.</s>⟧\n" in text
    assert "\nleft out or cut: over max_length 2, truncated 1\n" in text
    assert "\n189,248 parameters, 189,248 learn (100.00%)\n" in text
    assert "\n10 steps of about 109 tokens, 3.333 epochs, 1,096 tokens; 1 evaluation\n" in text
    assert "\nwarning: watch.evaluate_every 200 is over the 10 steps: one evaluation, at the end\n" in text
    assert checked.ahead.seconds is not None
    assert 0 < checked.ahead.seconds[0] <= checked.ahead.seconds[1]


def test_a_row_that_looks_like_a_mark_of_the_terminal_is_shown_as_it_is(parts, make_recipe):
    given = parts(rows=[("[bold]굵게[/bold]", "[/red] 네 :smile:"), ("가나요?", "아니요.")])
    checked = check(make_recipe(given.model.name_or_path), given, probe=False)
    assert "질문: [bold]굵게[/bold]\n" in shown(checked)
    assert "⟦ [/red] 네 :smile:</s>⟧" in shown(checked)


def test_packs_are_held_against_their_rows_alone(parts, make_recipe):
    given = parts(packed=True)
    checked = check(make_recipe(given.model.name_or_path, packing=True), given, probe=False)
    assert checked.leak is not None
    assert checked.leak < 1e-4
    assert "╎### 질문:" in "".join(row.text for row in checked.rows)


def test_packs_of_a_model_in_four_bits_pass_with_the_rounding_that_they_have(parts, make_recipe):
    given = parts("gemma", packed=True)
    model = {"quantization": {}}
    recipe = make_recipe(given.model.name_or_path, adapter={"r": 4}, model=model, packing=True)
    base = load_model(recipe.model, learns_whole=False, device="cpu")
    given.model = attach_adapter(base, recipe.adapter, 0)
    checked = check(recipe, given)
    assert checked.leak is not None
    assert checked.parameters.trainable < checked.parameters.all
    assert checked.memory.adapter > 0


def test_blocks_of_running_text_are_shown_with_the_borders_of_documents(parts, tmp_path):
    given = parts()
    fields = {"kind": "pretrain", "name": "p", "model": {"path": given.model.name_or_path}, "max_length": 32}
    fields |= {"data": {"corpora": [{"path": "none.txt"}]}, "training": {"epochs": 2, "learning_rate": 1e-3}}
    document = [*given.tokenizer.encode("강은 흐른다. 봄이 오면 꽃이 핀다."), given.tokenizer.need_eos()]
    blocks = np.array((document * 40)[: 32 * 20], np.int32).reshape(-1, 32)
    given.train, given.validation = from_blocks(iter(blocks), tmp_path / "blocks.arrow"), None
    given.template = load_template("plain")
    checked = check(PretrainRecipe.model_validate(fields), given, steps=5)
    assert checked.rows[0].text.startswith("⟦강은 흐른다. 봄이 오면 꽃이 핀다.</s>⟧╎⟦강은")
    assert (checked.ahead.steps, checked.figures.trained) == (5, 20 * 31)
    assert checked.warnings[0] == "there are no rows to watch by: the last step is kept, overfitting is not seen"


def test_no_row_at_all_is_refused(parts, make_recipe):
    given = parts()
    given.train = given.train.select([])
    with pytest.raises(DataError, match=r"^there is no row to train on; give data\.path a file with rows$"):
        check(make_recipe(given.model.name_or_path), given)


def test_a_model_that_looks_across_the_borders_of_a_pack_is_refused(parts, make_recipe):
    given = parts(packed=True)
    inner = given.model.forward
    given.model.forward = lambda **batch: inner(**{**batch, "position_ids": None})  # as if nobody told of the borders
    with pytest.raises(ModelError, match=r"^a row in a pack sees its neighbours: its logits are off by 0\.\d\d of"):
        check(make_recipe(given.model.name_or_path, packing=True), given, probe=False)


def test_too_little_memory_is_refused_with_lines_to_paste(parts, make_recipe, monkeypatch):
    given = parts()
    recipe = make_recipe(given.model.name_or_path, training={"batch_size": 4})
    needs = check(recipe, given, probe=False).memory.total
    monkeypatch.setattr(door, "available_memory", lambda device: needs - needs // 20)
    with pytest.raises(ModelError) as caught:
        check(recipe, given, probe=False)
    has = needs - needs // 20
    assert caught.value.message == (
        f"the training takes about {tell_bytes(needs)} of memory, and there is room for {tell_bytes(has)}"
    )
    assert caught.value.mend.startswith("change one of these: --set training.")
    assert "--set training.batch_size=2 --set training.accumulation=2 (" in caught.value.mend


def test_running_out_of_memory_in_the_real_step_is_refused_too(parts, make_recipe):
    given = parts()

    class Greedy(torch.nn.Module):
        def forward(self, *_, **__):
            return torch.empty(1 << 60, dtype=torch.uint8)

    given.model.model.layers[1] = Greedy()
    given.model.config.num_hidden_layers = 2
    with pytest.raises(ModelError) as caught:
        check(make_recipe(given.model.name_or_path), given)
    assert caught.value.message == "one step on the 2 longest rows (up to 80 tokens) ran out of memory"


def test_all_faults_are_told_at_once(parts, make_recipe):
    given = parts()
    labels = [[-100] * len(row) for row in given.train["labels"]]
    given.train = given.train.remove_columns("labels").add_column("labels", labels)
    given.validation = None
    recipe = make_recipe(given.model.name_or_path, watch={"early_stopping": {}})
    with pytest.raises(
        Exception, match=r"^found 2 faults: 1\. none of the 6 rows trains a token; .* 2\. watch\.early_"
    ):
        check(recipe, given)
