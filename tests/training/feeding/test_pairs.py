"""
Pairs of answers as tokens: the same tokens as fine-tuning would have, a fault for each row that teaches nothing.

In: preference rows, every kind of tokenizer and of template. Out: pairs that keep the promises of `pairs`, or one line.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.data.chats import choose_template
from hanpuri.data.examples import IGNORE, Counts, make_example, prompt_ids
from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.records.records import Record
from hanpuri.data.templates import Fields, Rendered, Segment, Template
from hanpuri.errors import DataError
from hanpuri.training.answering import answered_row, asked_row
from hanpuri.training.feeding.pairs import (
    PairExample,
    chosen_examples,
    from_pairs,
    iterate_pairs,
)
from hanpuri.training.prompting import make_prompting
from hanpuri.training.recipe import AskSettings

ROW = {"prompt": "한강은 어디로 흐르나요?", "input": "", "chosen": "서해로 흐릅니다.", "rejected": "몰라요."}
CHAT = [
    {"role": "user", "content": "안녕하세요"},
    {"role": "assistant", "content": "반가워요"},
    {"role": "user", "content": "이름이 뭐예요?"},
]
LONG = AskSettings(max_length=100_000)
# tokenizer, chat template or none, template, form of the rows that the model was trained on
ASKED = [
    ("bytes", None, "plain", "pairs"),
    ("bytes", None, "koalpaca", "instruction"),
    ("unigram", None, "restoration", "pairs"),
    ("legacy", None, "koalpaca", "preference"),
    ("characters", None, "plain", "instruction"),
    ("bytes", None, "plain", "text"),
    ("bytes", "chatml", "chat", "instruction"),
    ("unigram", "llama", "chat", "messages"),
    ("bytes", "gemma", "chat", "pairs"),
    ("bytes", "qwen3", "chat", None),
]
# Korean, noise, spaces and line ends at any place, braces, emoji; and then any text at all.
texts = st.text(st.sampled_from("가나다라마하요쨰밌뷁ㅋㅠ ab19 \n\t{}#:🙂é"), min_size=1, max_size=12) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12
)


@pytest.fixture(scope="module")
def prompting_of(tokenizer_of):
    def make(kind="bytes", chat=None, template="koalpaca", form=None):
        tokenizer = tokenizer_of(kind, chat)
        return make_prompting(choose_template(template, tokenizer), tokenizer, form=form)

    return make


def records(*rows: dict[str, Any]) -> list[Record]:
    return [Record(row, "", "pairs", f"pairs.jsonl:{line}") for line, row in enumerate(rows, 1)]


def pairs_of(prompting, tokenizer, *rows, **asked) -> tuple[list[PairExample], Counts]:
    counts = Counts()
    told = LONG.model_copy(update=asked)
    return list(iterate_pairs(records(*rows), prompting, tokenizer, told, counts)), counts


def told(prompting, tokenizer, *rows, **asked) -> str:
    with pytest.raises(DataError) as caught:
        pairs_of(prompting, tokenizer, *rows, **asked)
    return str(caught.value)


# --- one row, token by token


def test_a_pair_is_a_prompt_and_two_answers_with_their_ends(prompting_of, tokenizer_of):
    tokenizer = tokenizer_of("bytes")
    (pair,), counts = pairs_of(prompting_of(), tokenizer, ROW)
    assert pair.id == "pairs.jsonl:1"
    assert pair.prompt_ids.tolist() == tokenizer.encode("### 질문: 한강은 어디로 흐르나요?\n\n### 답변:")
    assert pair.chosen_ids.tolist() == [*tokenizer.encode(" 서해로 흐릅니다."), tokenizer.eos_id]
    assert pair.rejected_ids.tolist() == [*tokenizer.encode(" 몰라요."), tokenizer.eos_id]
    whole = 2 * len(pair.prompt_ids) + len(pair.chosen_ids) + len(pair.rejected_ids)
    trained = len(pair.chosen_ids) + len(pair.rejected_ids)
    assert counts == Counts(rows=1, examples=1, tokens=whole, trained_tokens=trained)


# chat template, template, form; the chosen answer and one of nothing, as text
ENDS = [
    (None, "koalpaca", "instruction", " 서해로 흐릅니다.</s>", "</s>"),
    (None, "plain", "pairs", "서해로 흐릅니다.</s>", "</s>"),
    (None, "plain", "text", "서해로 흐릅니다.</s>", "</s>"),
    (None, "stopping", None, "서해로 흐릅니다.<|im_end|></s>", "<|im_end|></s>"),
    ("chatml", "chat", "instruction", "서해로 흐릅니다.<|im_end|>", "<|im_end|>"),
    ("gemma", "chat", "pairs", "서해로 흐릅니다.<end_of_turn>", "<end_of_turn>"),
    (
        "qwen3",
        "chat",
        "instruction",
        "<think>\n\n</think>\n\n서해로 흐릅니다.<|im_end|>",
        "<think>\n\n</think>\n\n<|im_end|>",
    ),
]


@pytest.mark.parametrize("rejected", ["", " \n"])
@pytest.mark.parametrize(("chat", "template", "form", "chosen", "nothing"), ENDS)
def test_a_rejected_answer_of_nothing_is_its_end_alone(
    prompting_of, tokenizer_of, tmp_path, chat, template, form, chosen, nothing, rejected
):
    if template == "stopping":
        template = tmp_path / "stopping.yaml"
        template.write_text("prompt_no_input: '{instruction}:'\nstop: <|im_end|>\n", encoding="utf-8")
    tokenizer = tokenizer_of("bytes", chat)
    (pair,), _ = pairs_of(prompting_of("bytes", chat, template, form), tokenizer, {**ROW, "rejected": rejected})
    assert tokenizer.decode(pair.chosen_ids.tolist()) == chosen
    assert tokenizer.decode(pair.rejected_ids.tolist()) == nothing


# --- what the model is asked


@pytest.mark.parametrize(
    ("chat", "template", "form", "row", "text"),
    [
        (None, "restoration", "pairs", {"prompt": "쨰밌어요"}, "### 바뀐 문장:\n쨰밌어요\n\n### 원래 문장:\n"),
        (None, "alpaca-ko", "instruction", {"prompt": "요약해 줘", "input": "긴 글"}, "### 입력:\n긴 글\n\n"),
        (
            "chatml",
            "chat",
            "instruction",
            {"prompt": "요약해 줘", "input": "긴 글"},
            "user\n요약해 줘\n\n긴 글<|im_end|>",
        ),
        ("chatml", "chat", "messages", {"prompt": CHAT}, "assistant\n반가워요<|im_end|>\n<|im_start|>user\n이름이"),
        # one question of a user, also behind a system message, fits a template file too
        (None, "koalpaca", None, {"prompt": CHAT[:1]}, "### 질문: 안녕하세요\n\n"),
        (
            None,
            "koalpaca",
            None,
            {"prompt": [{"role": "system", "content": "짧게."}, *CHAT[:1]]},
            "짧게.\n\n### 질문: 안녕",
        ),
        (None, "koalpaca", "preference", {"prompt": "안녕?"}, "### 질문: 안녕?\n\n"),
        (None, "plain", "text", {"prompt": "바다가 "}, "바다가 "),
    ],
)
def test_a_row_is_asked_as_the_model_was_trained(prompting_of, tokenizer_of, chat, template, form, row, text):
    tokenizer = tokenizer_of("bytes", chat)
    prompting = prompting_of("bytes", chat, template, form)
    (pair,), _ = pairs_of(prompting, tokenizer, {**ROW, **row})
    assert text in tokenizer.decode(pair.prompt_ids.tolist())
    # token for token what an engine feeds the model
    asked = asked_row(row["prompt"], row.get("input", ""), prompting)
    assert pair.prompt_ids.tolist() == prompt_ids(prompting.prompt(asked, "1"), tokenizer)


@pytest.mark.parametrize(
    ("chat", "template", "form", "row", "message"),
    [
        (
            None,
            "restoration",
            "pairs",
            {"prompt": "복원하세요", "input": "쨰밌어요"},
            "pairs.jsonl:1: found an input beside the prompt, expected a prompt alone: the model was not trained to be"
            " asked both; write the text to restore as `prompt`, and leave `input` out",
        ),
        (
            "chatml",
            "chat",
            "pairs",
            {"prompt": CHAT},
            "pairs.jsonl:1: found a conversation, expected a text: the model was trained on single ones;"
            " give each prompt as a text",
        ),
        (
            "chatml",
            "chat",
            "messages",
            {"prompt": CHAT, "input": "긴 글"},
            "pairs.jsonl:1: found an input beside a conversation, expected messages alone; write it into the last one",
        ),
        (
            None,
            "koalpaca",
            None,
            {"prompt": CHAT},
            "pairs.jsonl:1 (chosen): found messages of user, assistant, user, assistant, expected one of a user and its"
            " answer; take the template chat, which writes whole conversations",
        ),
    ],
)
def test_a_row_that_the_model_cannot_be_asked_is_named(prompting_of, tokenizer_of, chat, template, form, row, message):
    prompting, tokenizer = prompting_of("bytes", chat, template, form), tokenizer_of("bytes", chat)
    assert told(prompting, tokenizer, {**ROW, **row}) == message
    _, counts = pairs_of(prompting, tokenizer, {**ROW, **row}, ROW, faults="drop")
    assert (counts.examples, counts.dropped.total()) == (1, 1)


# --- rows that teach nothing


@pytest.mark.parametrize(
    ("row", "cause", "message"),
    [
        (
            {"rejected": "서해로 흐릅니다."},
            "chosen and rejected are the same",
            "pairs.jsonl:2: found the same text in chosen and rejected, expected two answers;"
            " leave the row out: it says nothing on which is better",
        ),
        # letters typed apart
        (
            {"chosen": "각", "rejected": "\u1100\u1161\u11a8"},
            "chosen and rejected are the same",
            "pairs.jsonl:2: found the same text in chosen and rejected, expected two answers;"
            " leave the row out: it says nothing on which is better",
        ),
        # two texts, one token: neither is known to a tokenizer of characters
        (
            {"chosen": "뷁", "rejected": "쀍"},
            "chosen and rejected are the same",
            "pairs.jsonl:2: found the same tokens in chosen and rejected, expected two answers;"
            " leave the row out: it says nothing on which is better",
        ),
        (
            {"chosen": " \n"},
            "no chosen answer",
            "pairs.jsonl:2: found no text in chosen, expected an answer;"
            " give the row its better answer, or leave it out",
        ),
        (
            {"prompt": " "},
            "no prompt",
            "pairs.jsonl:2: found no prompt, expected one; give the row its prompt, or leave it out",
        ),
        (
            {"prompt": []},
            "no prompt",
            "pairs.jsonl:2: found no prompt, expected one; give the row its prompt, or leave it out",
        ),
        (
            {"prompt": CHAT[:2]},
            "no prompt",
            "pairs.jsonl:2: found no prompt, expected one; give the row its prompt, or leave it out",
        ),
        (
            {"rejected": "네</s>"},
            "special token in the text",
            "pairs.jsonl:2 (rejected): found the special token </s> spelled out in the text, which a model reads as a"
            " sign; take it out of the text, or leave the row out",
        ),
        (
            {"prompt": "네</s>"},
            "special token in the text",
            "pairs.jsonl:2 (chosen): found the special token </s> spelled out in the text, which a model reads as a"
            " sign; take it out of the text, or leave the row out",
        ),
        (
            {"rejected": "네" * 200},
            "over max_length",
            "pairs.jsonl:2 (rejected): found 232 tokens, expected at most 100; raise examples.max_length, or say"
            " too_long: drop",
        ),
        (
            {"chosen": "\ud83d"},
            "cannot be rendered",
            "pairs.jsonl:2 (chosen): found half a surrogate pair, expected text; clean the text first",
        ),
    ],
)
def test_a_row_that_teaches_nothing_is_named_or_counted(prompting_of, tokenizer_of, row, cause, message):
    prompting, tokenizer = prompting_of("characters"), tokenizer_of("characters")
    rows = [ROW, {**ROW, **row}, ROW]
    assert told(prompting, tokenizer, *rows, max_length=100) == message
    pairs, counts = pairs_of(prompting, tokenizer, *rows, max_length=100, faults="drop")
    assert [pair.id for pair in pairs] == ["pairs.jsonl:1", "pairs.jsonl:3"]
    assert (counts.rows, counts.examples, counts.dropped) == (3, 2, {cause: 1})


def test_rows_that_are_too_long_can_be_left_out_alone(prompting_of, tokenizer_of):
    prompting, tokenizer = prompting_of(), tokenizer_of("bytes")
    _, counts = pairs_of(prompting, tokenizer, ROW, {**ROW, "chosen": "네" * 500}, max_length=200, too_long="drop")
    assert (counts.examples, counts.dropped) == (1, {"over max_length": 1})
    with pytest.raises(DataError, match=r"^pairs.jsonl:1: found no text in chosen"):
        pairs_of(prompting, tokenizer, {**ROW, "chosen": " "}, too_long="drop")


def test_all_faulty_rows_are_told_at_once(prompting_of, tokenizer_of):
    rows = [{**ROW, "rejected": ROW["chosen"]}, ROW, {**ROW, "prompt": ""}]
    assert told(prompting_of(), tokenizer_of("bytes"), *rows) == (
        "found 2 rows that make no pair: pairs.jsonl:1: found the same text in chosen and rejected, expected two"
        " answers; pairs.jsonl:3: found no prompt, expected one; leave the row out: it says nothing on which is better"
    )


class Leaking(Template):
    """A template that shows the answer in what it asks."""

    def render(self, fields: Fields, id: str) -> Rendered:
        return Rendered(id, (Segment(f"{fields['output']}?", False), Segment("네", True)))


def test_a_template_that_asks_each_answer_otherwise_is_refused(tokenizer_of):
    tokenizer = tokenizer_of("bytes")
    prompting = make_prompting(Leaking(prompt_no_input="{instruction}"), tokenizer)
    assert told(prompting, tokenizer, ROW) == (
        "pairs.jsonl:1: found prompts that are other tokens before each answer, expected the same;"
        " take a template that writes the prompt alike whatever the answer is"
    )


def test_rows_of_another_form_are_refused_at_once(prompting_of, tokenizer_of):
    assert told(prompting_of(), tokenizer_of("bytes"), {"noisy": "념뭄", "clean": "너무"}, faults="drop") == (
        "pairs.jsonl:1: found the fields noisy, clean, expected prompt, chosen and rejected;"
        " say `form: preference`, and name the columns under `fields`"
    )


def test_a_row_that_a_tokenizer_loses_letters_of_is_counted_once(prompting_of, tokenizer_of):
    known = {"prompt": "바다", "input": "", "chosen": "바다", "rejected": "다"}
    asked = prompting_of("characters", None, "plain")
    _, counts = pairs_of(asked, tokenizer_of("characters"), {**known, "chosen": "뷁다", "rejected": "뷁"}, known)
    assert (counts.rows, counts.examples, counts.lossy) == (2, 2, 1)


# --- promises about any text


@pytest.mark.parametrize(("kind", "chat", "template", "form"), ASKED)
def test_each_side_is_token_for_token_the_example_of_fine_tuning(
    prompting_of, tokenizer_of, kind, chat, template, form
):
    prompting, tokenizer = prompting_of(kind, chat, template, form), tokenizer_of(kind, chat)
    last = choose_template(template, tokenizer, "last")

    @settings(max_examples=20)
    @given(prompt=texts, chosen=texts, rejected=st.just("") | texts)
    def holds(prompt, chosen, rejected):
        row = {"prompt": prompt, "input": "", "chosen": chosen, "rejected": rejected}
        pairs, counts = pairs_of(prompting, tokenizer, row, faults="drop")
        assert counts.examples + counts.dropped.total() == counts.rows == 1
        for pair in pairs:
            for answer, ids in ((chosen, pair.chosen_ids), (rejected, pair.rejected_ids)):
                whole = [*pair.prompt_ids.tolist(), *ids.tolist()]
                assert ids[-1] in tokenizer.special_ids
                if answer.strip() and form != "text":
                    asked = answered_row(asked_row(prompt, "", prompting), answer)
                    example = make_example(last.render(asked, "1"), tokenizer, ExampleSettings(max_length=100_000))
                    assert whole == example.input_ids.tolist()
                    assert [IGNORE] * len(pair.prompt_ids) + ids.tolist() == example.labels.tolist()
                if kind == "bytes" and chat is None and answer.strip():
                    assert tokenizer.decode(whole).endswith(f"{answer}</s>")

    holds()


@settings(max_examples=30)
@given(st.lists(st.tuples(*[st.lists(st.integers(0, 9), min_size=1, max_size=5)] * 3), min_size=1, max_size=4))
def test_a_table_of_pairs_has_all_tokens_and_its_chosen_side_is_an_example(rows):
    pairs = [PairExample("1", *(np.array(ids, np.int32) for ids in row)) for row in rows]
    table, chosen = from_pairs(pairs), list(chosen_examples(pairs))
    assert [tuple(row.values()) for row in table] == [tuple(row) for row in rows]
    assert table.column_names == ["prompt_ids", "chosen_ids", "rejected_ids"]
    for (prompt, better, _), example in zip(rows, chosen, strict=True):
        assert example.input_ids.tolist() == prompt + better
        assert example.labels.tolist() == [IGNORE] * len(prompt) + better


def test_no_pairs_make_an_empty_table():
    assert len(from_pairs([])) == 0


# --- what TRL makes of them


def test_trl_lays_pairs_side_by_side_and_scores_an_answer_of_nothing(prompting_of, tokenizer_of):
    import torch
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    tokenizer = tokenizer_of("bytes")
    pairs, _ = pairs_of(prompting_of(), tokenizer, ROW, {**ROW, "rejected": ""})
    batch = DataCollatorForPreference(pad_token_id=0)([*from_pairs(pairs)])
    assert batch["input_ids"].shape[0] == 4
    assert batch["completion_mask"].sum(1).tolist() == [
        *(len(pair.chosen_ids) for pair in pairs),
        len(pairs[0].rejected_ids),
        1,
    ]
    assert torch.all(batch["completion_mask"] <= batch["attention_mask"])
