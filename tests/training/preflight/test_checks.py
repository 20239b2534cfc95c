"""What would spoil a training in silence."""

import pytest

from hanpuri.data.chats import choose_template
from hanpuri.errors import DataError, ModelError, RecipeError
from hanpuri.training.preflight import checks
from hanpuri.training.preflight.rows import Table, count_common, count_rows
from hanpuri.training.prompting import make_prompting, save_prompting


def changed(given, change):
    """Lay other labels beside the same tokens."""
    labels = [
        change(list(ids), list(old)) for ids, old in zip(given.train["input_ids"], given.train["labels"], strict=True)
    ]
    return Table(given.train.remove_columns("labels").add_column("labels", labels))


def found(given, table):
    findings = checks.Findings()
    prompting = make_prompting(given.template, given.tokenizer)
    figures = count_rows(table, given.tokenizer, prompting.stop_ids)
    checks.check_mask(figures, findings)
    if figures.trained:
        checks.check_stop(figures, prompting, given.tokenizer, given.model, findings)
    return findings


def test_sound_rows_have_no_fault(parts):
    given = parts()
    assert found(given, Table(given.train)) == checks.Findings()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        # nothing is trained at all: the loss is 0 and looks wonderful
        (lambda ids, labels: [-100] * len(ids), "none of the 6 rows trains a token"),
        # only the first token is, which nothing foretells
        (lambda ids, labels: [ids[0], *[-100] * (len(ids) - 1)], "none of the 6 rows trains a token"),
        # one row lost its mask
        (
            lambda ids, labels: [-100] * len(ids) if len(ids) == 80 else labels,
            "1 of 6 rows train no token, row 1 first",
        ),
        # eos was taken for padding
        (
            lambda ids, labels: [*labels[:-1], -100],
            "no row trains a token that ends an answer (</s>), though it stands there: is it taken for padding?",
        ),
        # labels were moved once here, and are moved once more by the trainer
        (lambda ids, labels: [*labels[1:], -100], "128 labels are another token than the one that stands there"),
        # only the end is learnt
        (lambda ids, labels: [*[-100] * (len(ids) - 1), ids[-1]], "every row trains the same token, and no other"),
    ],
)
def test_a_spoilt_mask_is_refused(parts, change, message):
    given = parts()
    findings = found(given, changed(given, change))
    assert message in [fault.message for fault in findings.faults]


def test_a_stop_token_that_was_never_there_is_told_apart(parts):
    given = parts()
    cut = given.train.map(lambda row: {name: column[:-1] for name, column in row.items()})
    with pytest.raises(DataError) as caught:
        found(given, Table(cut)).refuse()
    assert caught.value.message == "no row trains a token that ends an answer (</s>)"


def test_answers_that_were_cut_are_said(parts):
    given = parts()
    cut = given.train.map(lambda row: {k: v[:60] for k, v in row.items()})
    assert found(given, Table(cut)).warnings == [
        "2 of 6 answers train no stop token (cut at max_length?): the model may not stop"
    ]


def test_a_model_that_stops_at_another_token_is_refused(parts):
    given = parts()
    given.model.generation_config.eos_token_id = given.tokenizer.encode("<|im_end|>")[0]
    with pytest.raises(ModelError) as caught:
        found(given, Table(given.train)).refuse()
    assert str(caught.value) == (
        "generation stops at <|im_end|>, and the answers end in </s>;"
        " write eos_token_id: 2 in the model's generation_config.json"
    )


def test_a_chat_that_ends_in_another_sign_than_the_model_is_said(parts):
    given = parts(chat="chatml", template="chat")
    assert found(given, Table(given.train)).warnings == [
        "answers end in <|im_end|>, and other programs stop this model at </s>"
    ]


def test_in_packs_the_first_token_of_each_row_is_no_fault(parts):
    given = parts(packed=True)
    table = Table(given.train)
    figures = count_rows(table, given.tokenizer, (given.tokenizer.eos_id,))
    assert (figures.texts, figures.stops) == (6, 6)
    assert found(given, table) == checks.Findings()


def test_an_adapter_that_goes_on_keeps_its_template(parts, make_recipe, tmp_path):
    from hanpuri.training.loading.adapters import attach_adapter, save_adapter
    from hanpuri.training.recipe import AdapterSettings

    given = parts()
    save_adapter(attach_adapter(given.model, AdapterSettings(r=2), 0), tmp_path / "adapter")
    recipe = make_recipe(given.model.name_or_path, adapter={"path": str(tmp_path / "adapter")})
    save_prompting(tmp_path / "adapter", given.template, recipe.examples)
    same, other = checks.Findings(), checks.Findings()
    checks.check_template(recipe, given.template, same)
    checks.check_template(recipe, choose_template("alpaca-ko"), other)
    assert same == checks.Findings()
    with pytest.raises(RecipeError) as caught:
        other.refuse()
    assert str(caught.value) == (
        f"{tmp_path}/adapter: the adapter was trained with another template than alpaca-ko; give examples.template the"
        " one that prompt_template.yaml there holds, or begin a new adapter"
    )


def test_what_was_trained_on_running_text_takes_any_template(parts, make_recipe, tmp_path):
    from hanpuri.training.loading.adapters import attach_adapter, save_adapter
    from hanpuri.training.recipe import AdapterSettings

    given = parts()
    save_adapter(attach_adapter(given.model, AdapterSettings(r=2), 0), tmp_path / "adapter")
    recipe = make_recipe(given.model.name_or_path, adapter={"path": str(tmp_path / "adapter")})
    save_prompting(tmp_path / "adapter", choose_template("plain"), recipe.examples, "text")
    findings = checks.Findings()
    checks.check_template(recipe, choose_template("alpaca-ko"), findings)
    assert findings == checks.Findings()


@pytest.mark.parametrize(
    ("sections", "steps", "watched", "message"),
    [
        # it would be evaluated at the end alone
        ({}, 50, 9, "watch.evaluate_every 200 is over the 50 steps: one evaluation, at the end"),
        # the rate only rises
        (
            {"training": {"warmup": 500}},
            300,
            9,
            "training.warmup 500 is not under the 300 steps: the learning rate never reaches its peak",
        ),
        # nobody watches
        ({}, 300, 0, "there are no rows to watch by: the last step is kept, overfitting is not seen"),
    ],
)
def test_a_setting_that_does_nothing_is_said(make_recipe, sections, steps, watched, message):
    findings = checks.Findings()
    checks.check_settings(make_recipe("m", **sections), steps, watched, findings)
    assert findings.warnings == [message]


def test_rows_of_both_sides_are_found(parts):
    given = parts()
    both = parts(watched=(("고마워요", "천만에요."), ("고마워요", "천만에요!")))
    assert count_common(Table(given.train), Table(given.validation)) == 0
    assert count_common(Table(both.train), Table(both.validation)) == 1
    findings = checks.Findings()
    checks.check_common(1, 2, findings)
    assert findings.warnings == [
        "1 of 2 rows to watch by are trained on, too: the scores will be better than the model"
    ]


def test_a_row_longer_than_the_models_positions_is_refused(parts):
    given = parts()
    given.model.config.max_position_embeddings = 64
    findings = checks.Findings()
    checks.check_length(count_rows(Table(given.train), given.tokenizer, (2,)), given.model.config, findings)
    with pytest.raises(ModelError, match=r"^the longest row has 80 tokens, and the model 64 positions; lower max_"):
        findings.refuse()
