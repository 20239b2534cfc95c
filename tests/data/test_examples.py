"""
The loss mask: what is trained, what is not, and what is refused, with every kind of tokenizer.

In: rows and templates. Out: token ids and labels that keep the promises of `examples`, or one line that names the row.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.data.chats import choose_template
from hanpuri.data.examples import (
    IGNORE,
    Counts,
    Example,
    collate,
    iterate_examples,
    make_example,
    make_examples,
    prompt_ids,
)
from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.templates import Rendered, Segment, load_template
from hanpuri.errors import DataError, ModelError

KINDS = ("bytes", "unigram", "legacy", "characters")
SETTINGS = ExampleSettings(max_length=100_000)
QUESTION = {"instruction": "바다는 왜 짠가요?", "input": "", "output": "소금이 녹아 있어서요."}
PAIR = {"noisy": "쨘뜩 쨔증", "clean": "잔뜩 짜증"}
CHAT = [
    {"role": "user", "content": "안녕하세요"},
    {"role": "assistant", "content": "반가워요"},
    {"role": "user", "content": "이름이 뭐예요?"},
    {"role": "assistant", "content": "한풀이예요"},
]

# Korean, noise, spaces and line ends at any place, braces, emoji, single letters; and then any text at all.
texts = st.text(st.sampled_from("가나다라마하요쨰밌뷁ㅋㅠ ab19 \n\t{}#:🙂é"), min_size=1, max_size=20) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20
)
answers = texts.filter(lambda text: text.strip())
templates = st.sampled_from(["alpaca-en", "alpaca-ko", "koalpaca", "plain"])


def told(*rendereds, tokenizer, **changes) -> str:
    """What a person is told about rows that make no example."""
    with pytest.raises(DataError) as caught:
        make_examples(rendereds, tokenizer, SETTINGS.model_copy(update=changes))
    return str(caught.value)


# --- one row, token by token


def test_prompt_is_not_trained_response_and_stop_token_are(tokenizer_of):
    tokenizer = tokenizer_of("bytes")
    example = make_example(load_template("koalpaca").render(QUESTION, "1"), tokenizer, SETTINGS)
    prompt = tokenizer.encode("### 질문: 바다는 왜 짠가요?\n\n### 답변:")
    response = tokenizer.encode(" 소금이 녹아 있어서요.")
    assert example.input_ids.tolist() == [*prompt, *response, tokenizer.eos_id]
    assert example.labels.tolist() == [IGNORE] * len(prompt) + [*response, tokenizer.eos_id]
    assert (len(example), example.num_trained) == (len(prompt) + len(response) + 1, len(response) + 1)


@pytest.mark.parametrize(
    ("kind", "num_bos"),
    [
        ("bytes", 0),  # has a bos token, but puts none itself: engines will feed none
        ("unigram", 1),
        ("legacy", 1),
    ],
)
def test_a_bos_token_stands_first_where_the_tokenizer_puts_one(tokenizer_of, kind, num_bos):
    tokenizer = tokenizer_of(kind)
    example = make_example(load_template("plain").render(PAIR, "1"), tokenizer, SETTINGS)
    assert example.input_ids.tolist().count(tokenizer.bos_id) == num_bos
    assert example.input_ids.tolist()[:num_bos] == [tokenizer.bos_id] * num_bos
    assert example.labels[0] == IGNORE


def test_a_bos_token_in_the_template_is_not_doubled(tokenizer_of):
    tokenizer = tokenizer_of("unigram")
    rendered = Rendered("1", (Segment("<s>질문", False), Segment("답", True)))
    assert make_example(rendered, tokenizer, SETTINGS).input_ids.tolist().count(tokenizer.bos_id) == 1


@pytest.mark.parametrize("kind", ["unigram", "legacy"])
def test_a_response_gets_no_space_from_a_tokenizer_that_puts_one_before_texts(tokenizer_of, kind):
    tokenizer = tokenizer_of(kind)
    example = make_example(load_template("plain").render(PAIR, "1"), tokenizer, SETTINGS)
    assert tokenizer.decode(example.input_ids[1:-1]) == "쨘뜩 쨔증\n잔뜩 짜증"


def test_every_token_of_a_text_alone_is_trained(tokenizer_of):
    example = make_example(load_template("plain").render({"text": "물이 맑다."}, "1"), tokenizer_of("bytes"), SETTINGS)
    assert example.labels.tolist() == example.input_ids.tolist()
    assert example.input_ids[-1] == tokenizer_of("bytes").eos_id


def test_the_stop_text_of_a_template_is_trained_before_the_eos_token(tokenizer_of, tmp_path):
    (tmp_path / "mine.yaml").write_text('prompt_no_input: "{instruction}\\n"\nstop: "\\n###"\n', encoding="utf-8")
    tokenizer = tokenizer_of("bytes")
    example = make_example(load_template(tmp_path / "mine.yaml").render(QUESTION, "1"), tokenizer, SETTINGS)
    assert tokenizer.decode(example.labels[example.labels != IGNORE]) == "소금이 녹아 있어서요.\n###</s>"


# --- the promises, for any text


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(name=templates, question=texts, context=texts | st.just(""), answer=answers)
def test_trained_is_exactly_the_response_and_its_stop_token(tokenizer_of, kind, name, question, context, answer):
    tokenizer, template = tokenizer_of(kind), load_template(name)
    rendered = template.render({"instruction": question, "input": context, "output": answer}, "1")
    example = make_example(rendered, tokenizer, SETTINGS)
    trained = example.labels != IGNORE
    response = rendered.segments[-1].text
    num_trained = example.num_trained
    assert trained.tolist() == [False] * (len(example) - num_trained) + [True] * num_trained
    assert (example.labels[trained] == example.input_ids[trained]).all()
    assert example.labels[-1] == tokenizer.eos_id
    read = tokenizer.decode(example.labels[trained][:-1], continues=True)
    if kind == "characters":
        response = tokenizer.decode(tokenizer.encode(response))
    assert read == response


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(name=templates, question=texts, context=texts | st.just(""), answer=answers)
def test_what_a_model_is_asked_is_what_stands_before_its_response(tokenizer_of, kind, name, question, context, answer):
    tokenizer, template = tokenizer_of(kind), load_template(name)
    row = {"instruction": question, "input": context}
    example = make_example(template.render({**row, "output": answer}, "1"), tokenizer, SETTINGS)
    asked = prompt_ids(template.prompt(row, "1"), tokenizer)
    assert example.input_ids.tolist()[: len(asked)] == asked
    assert (example.labels[: len(asked)] == IGNORE).all()
    assert (example.labels[len(asked) :] != IGNORE).all()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(prompt=texts, response=answers)
def test_every_text_comes_back_or_is_reported(tokenizer_of, kind, prompt, response):
    tokenizer = tokenizer_of(kind)
    rendered = Rendered("row-1", (Segment(prompt, False), Segment(response, True)))
    made = make_examples([rendered], tokenizer, SETTINGS.model_copy(update={"faults": "drop"}))
    assert not made.counts.dropped
    ids = made.examples[0].input_ids.tolist()[tokenizer.starts_with_bos : -1]
    assert made.counts.lossy == (tokenizer.decode(ids) != prompt + response)


@settings(max_examples=25)
@given(rows=st.lists(answers, min_size=1, max_size=5))
def test_padding_is_never_trained_and_eos_always_is_even_where_their_ids_are_equal(tokenizer_of, rows):
    tokenizer = tokenizer_of("bytes")
    assert tokenizer.pad_id == tokenizer.eos_id
    plain = load_template("plain")
    made = make_examples(
        [plain.render({"noisy": text, "clean": text}, "1") for text in rows], tokenizer, SETTINGS
    ).examples
    batch = collate(made, tokenizer.pad_id)
    for row, example in enumerate(made):
        length = len(example)
        assert batch.input_ids[row, :length].tolist() == example.input_ids.tolist()
        assert batch.labels[row, :length].tolist() == example.labels.tolist()
        assert batch.labels[row, length - 1] == tokenizer.eos_id
        assert (batch.labels[row, length:] == IGNORE).all()
        assert (batch.input_ids[row, length:] == tokenizer.pad_id).all()
        assert batch.attention_mask[row].tolist() == [1] * length + [0] * (batch.input_ids.shape[1] - length)


def test_there_is_no_batch_of_nothing():
    with pytest.raises(ValueError, match=r"^found no example, expected at least one$"):
        collate([], 0)


# --- chats


@pytest.mark.parametrize("chat", ["chatml", "llama", "gemma"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_chat_trains_each_answer_and_the_token_that_ends_its_turn(tokenizer_of, kind, chat):
    tokenizer = tokenizer_of(kind, chat)
    rendered = choose_template("chat", tokenizer).render({"messages": CHAT}, "1")
    example = make_example(rendered, tokenizer, SETTINGS)
    assert example.input_ids.tolist() == tokenizer.encode(rendered.text)  # as if it had never been cut in segments
    trained = example.labels != IGNORE
    runs = np.split(example.input_ids, np.flatnonzero(np.diff(trained)) + 1)[1::2]
    end = {"chatml": "<|im_end|>", "llama": "<|eot_id|>", "gemma": "<end_of_turn>"}[chat]
    expected = [
        tokenizer.decode(tokenizer.encode(text + end, after="가"), continues=True)
        for text in ("반가워요", "한풀이예요")
    ]
    assert [tokenizer.decode(run, continues=True) for run in runs] == expected
    assert all(run[-1] in tokenizer.special_ids for run in runs)
    assert example.input_ids.tolist().count(tokenizer.bos_id) == (chat != "chatml")


@pytest.mark.parametrize("chat", ["chatml", "llama", "gemma", "qwen3"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_chat_model_is_asked_is_what_its_template_writes(tokenizer_of, kind, chat):
    tokenizer = tokenizer_of(kind, chat)
    template = choose_template("chat", tokenizer, "last")
    example = make_example(template.render({"messages": CHAT}, "1"), tokenizer, SETTINGS)
    asked = prompt_ids(template.prompt({"messages": CHAT[:-1]}, "1"), tokenizer)
    assert asked == tokenizer.encode(tokenizer.apply_chat_template(CHAT[:-1], "1", add_generation_prompt=True))
    assert example.input_ids.tolist()[: len(asked)] == asked
    assert (example.labels[: len(asked)] == IGNORE).all()
    assert (example.labels[len(asked) :] != IGNORE).all()


@pytest.mark.parametrize("kind", ["bytes", "unigram", "legacy"])
@settings(max_examples=40)
@given(question=texts, answer=answers)
def test_a_chat_trains_exactly_the_answer_for_any_text(tokenizer_of, kind, question, answer):
    tokenizer = tokenizer_of(kind, "chatml")
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    example = make_example(choose_template("chat", tokenizer).render({"messages": messages}, "1"), tokenizer, SETTINGS)
    trained = example.labels[example.labels != IGNORE]
    assert tokenizer.decode(trained, continues=True) == f"{answer}<|im_end|>"


# --- what is refused

ONE = Segment("질문\n", False)


@pytest.mark.parametrize(
    ("rendered", "message"),
    [
        (
            load_template("koalpaca").render({**QUESTION, "output": " \n"}, "faq.jsonl:3"),
            "faq.jsonl:3: found no token to train, expected a response; give the row a response, or leave it out",
        ),
        (
            Rendered("7", (ONE,)),
            "7: found no token to train, expected a response; give the row a response, or leave it out",
        ),
        (
            Rendered("7", ()),
            "7: found no token to train, expected a response; give the row a response, or leave it out",
        ),
        (
            load_template("plain").render({"noisy": "끝</s>", "clean": "끝"}, "7"),
            "7: found the special token </s> spelled out in the text, which a model reads as a sign; "
            "take it out of the text, or leave the row out",
        ),
        (
            load_template("plain").render({"text": "반쪽 \ud800"}, "7"),
            "7: found half a surrogate pair, expected text; clean the text first",
        ),
        (
            DataError("7: found messages of user", "leave the row out"),  # what a template has refused
            "7: found messages of user; leave the row out",
        ),
    ],
)
def test_a_row_that_makes_no_example_is_named(tokenizer_of, rendered, message):
    assert told(rendered, tokenizer=tokenizer_of("bytes")) == message


def test_a_boundary_that_moves_is_named(tokenizer_of):
    rendered = load_template("koalpaca").render(QUESTION, "row-9")  # its response begins with a space
    assert told(rendered, tokenizer=tokenizer_of("stripping")) == (
        "row-9: found a boundary that moves: prompt and response apart read '?\\n\\n### 답변:소금이 녹아 있어서', "
        "in one '?\\n\\n### 답변: 소금이 녹아 있어'; "
        "end the prompt on a line end or a colon, and begin the response with no space"
    )


def test_a_chat_template_that_closes_no_turn_is_named(tokenizer_of):
    tokenizer = tokenizer_of("bytes", "bare")
    rendered = choose_template("chat", tokenizer).render({"messages": CHAT[:2]}, "chat-1")
    assert told(rendered, tokenizer=tokenizer) == (
        "chat-1: found a response that ends in '\\n', expected a special token that ends the turn: a model trained so "
        "never stops; mend the chat template of tiny-bytes, or take a template file"
    )


def test_a_tokenizer_without_eos_is_refused_where_eos_is_needed(tokenizer_of):
    tokenizer = tokenizer_of("bytes", None, ("eos_token", "pad_token"))
    with pytest.raises(ModelError) as caught:
        make_example(load_template("plain").render(PAIR, "1"), tokenizer, SETTINGS)
    assert str(caught.value) == (
        "the tokenizer tiny-bytes has no eos token, expected one to end a text with; "
        'give the folder with its tokenizer_config.json, and write "eos_token": "..." there'
    )


def test_a_chat_needs_no_eos(tokenizer_of):
    tokenizer = tokenizer_of("bytes", "chatml", ("eos_token", "pad_token"))
    assert make_example(choose_template("chat", tokenizer).render({"messages": CHAT}, "1"), tokenizer, SETTINGS)


def test_all_faulty_rows_are_told_at_once(tokenizer_of):
    rows = [Rendered(str(number), (ONE,)) for number in range(7)]
    with pytest.raises(DataError) as caught:
        make_examples(rows, tokenizer_of("bytes"), SETTINGS)
    told = "; ".join(f"{number}: found no token to train, expected a response" for number in range(5))
    assert caught.value.message == f"found 7 rows that make no example: {told}; and 2 more"


def test_sound_rows_come_before_the_fault_of_another(tokenizer_of):
    rows = [Rendered("1", (ONE,)), load_template("plain").render(PAIR, "2")]
    counts, seen = Counts(), []
    with pytest.raises(DataError, match=r"^1: found no token"):
        seen.extend(one.id for one in iterate_examples(rows, tokenizer_of("bytes"), SETTINGS, counts))
    assert (seen, counts.rows, counts.examples) == (["2"], 2, 1)


def test_faulty_rows_are_left_out_and_counted_where_the_recipe_says_so(tokenizer_of):
    plain = load_template("plain")
    rows = [
        Rendered("1", (ONE,)),
        plain.render(PAIR, "2"),
        plain.render({"noisy": "<s>", "clean": "가"}, "3"),
        DataError("4: no", "mend"),
    ]
    made = make_examples(rows, tokenizer_of("bytes"), ExampleSettings(faults="drop"))
    assert [example.id for example in made.examples] == ["2"]
    assert made.counts.dropped == {"no trained token": 1, "special token in the text": 1, "cannot be rendered": 1}
    assert (made.counts.rows, made.counts.examples, made.counts.tokens) == (4, 1, len(made.examples[0]))


# --- too long


def test_a_row_over_max_length_is_an_error_that_names_it(tokenizer_of):
    rendered = load_template("plain").render({"noisy": "가", "clean": "나" * 2000}, "row-5")
    assert told(rendered, tokenizer=tokenizer_of("characters"), max_length=1024) == (
        "row-5: found 2,003 tokens, expected at most 1,024; "
        "raise examples.max_length, or say too_long: drop or truncate"
    )


def test_a_row_of_exactly_max_length_is_not_too_long(tokenizer_of):
    rendered = load_template("plain").render({"noisy": "가", "clean": "나" * 7}, "1")
    assert len(make_example(rendered, tokenizer_of("characters"), ExampleSettings(max_length=10))) == 10


def test_rows_over_max_length_are_left_out_and_counted(tokenizer_of):
    rows = [load_template("plain").render({"noisy": "가", "clean": "나" * num}, str(num)) for num in (3, 30)]
    made = make_examples(rows, tokenizer_of("characters"), ExampleSettings(max_length=10, too_long="drop"))
    assert [example.id for example in made.examples] == ["3"]
    assert made.counts.dropped == {"over max_length": 1}


def test_a_response_is_cut_without_a_stop_token_and_a_prompt_never_is(tokenizer_of):
    tokenizer = tokenizer_of("characters")
    rows = [
        load_template("plain").render({"noisy": "가" * num, "clean": "나나나나"}, str(num)) for num in (4, 7, 9, 10)
    ]
    made = make_examples(rows, tokenizer, ExampleSettings(max_length=10, too_long="truncate"))
    trained = [tokenizer.decode(one.labels[one.labels != IGNORE]) for one in made.examples]
    assert trained == ["나나나나</s>", "나나"]  # 4 + 1 + 4 + 1 fit
    assert (made.counts.truncated, made.counts.dropped) == (1, {"the prompt alone fills max_length": 2})


def test_one_row_that_would_be_left_out_is_an_error(tokenizer_of):
    rendered = load_template("plain").render({"noisy": "가" * 20, "clean": "나"}, "row-5")
    with pytest.raises(DataError, match=r"^row-5: found 23 tokens, expected at most 10; "):
        make_example(rendered, tokenizer_of("characters"), ExampleSettings(max_length=10, too_long="drop"))
    with pytest.raises(DataError, match=r"^row-5: the prompt alone fills max_length of 10 tokens; "):
        make_example(rendered, tokenizer_of("characters"), ExampleSettings(max_length=10, too_long="truncate"))


def test_rows_of_more_than_one_batch_keep_their_order(tokenizer_of):
    rows = [load_template("plain").render({"text": f"{number} 번"}, str(number)) for number in range(1500)]
    made = make_examples(rows, tokenizer_of("bytes"), SETTINGS)
    assert [example.id for example in made.examples] == [str(number) for number in range(1500)]
    assert all(isinstance(example, Example) for example in made.examples)
