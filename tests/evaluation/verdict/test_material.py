"""
The rows of a verdict: which are asked, where examples come from, and what is found wrong before anybody is asked.

In: small files. Out: what is known of them, or one line.
"""

import pyarrow
import pyarrow.parquet
import pytest

from hanpuri.errors import DataError
from hanpuri.evaluation.verdict.facts import DataFacts
from hanpuri.evaluation.verdict.material import Example, read_material
from hanpuri.evaluation.verdict.nearest import Nearest


def faq(question, answer):
    return {"instruction": question, "input": "", "output": answer}


TEST = [
    faq("입실은 몇 시부터인가요?", "오후 세 시부터입니다."),
    faq("주차장이 있나요?", "네, 두 대까지 됩니다."),
    faq("주차장이  있나요?\n", "아니요, 없습니다."),
    faq("바다가 보이나요?", "바다가 보이나요?"),
]
TRAIN = [
    faq("입실은 몇 시부터 하나요?", "오후 세 시부터입니다."),
    faq("바다가 보이나요?", "네, 창문으로 보입니다."),
    faq("아침이 나오나요?", "빵과 우유가 나옵니다."),
    faq("아침이 나오나요?", "빵과 우유가 나옵니다."),
]


@pytest.fixture
def material(write_rows, recipe):
    def read(test=TEST, train=TRAIN, **fields):
        write_rows("test.jsonl", test)
        if train is not None:
            fields["train_rows"] = {"path": str(write_rows("train.jsonl", train))}
        return read_material(recipe(**{"measure": "exact_match", **fields}))

    return read


def test_what_is_wrong_with_the_rows_is_counted(material):
    assert material().facts == DataFacts(
        num_test=4,
        num_train=4,
        # the question about the sea
        num_leaked=1,
        num_empty=0,
        # its answer is the question
        num_same=1,
        # two questions about the parking, which white space does not tell apart, and the sea
        num_contradictory=3,
        # each of the three has two answers, of which one can be given: that of the sea is by its order that of training
        ceiling=0.5,
        # of "오후 세 시부터입니다." none, and so on; of the last all
        known_words=0.25,
        num_answers_in_training=1,
    )


def test_no_example_asks_what_a_test_row_asks_and_none_stands_there_twice(material):
    questions = [example.fields["instruction"] for example in material().pool]
    assert sorted(questions) == ["아침이 나오나요?", "입실은 몇 시부터 하나요?"]


def test_the_most_similar_training_question_answers_but_never_the_same_one(material):
    assert material().nearest == (
        "오후 세 시부터입니다.",
        "빵과 우유가 나옵니다.",  # "나요" is all that they share
        "빵과 우유가 나옵니다.",
        "빵과 우유가 나옵니다.",
    )


def test_pairs_leak_by_their_clean_side_whatever_the_noise(material):
    test = [{"noisy": "확잠실읾", "clean": "화장실이"}, {"noisy": "념뭄", "clean": "너무"}]
    train = [{"noisy": "화창씰위", "clean": "화장실이"}, {"noisy": "잙앙욤", "clean": "작아요"}]
    found = material(test, train, measure="char_accuracy")
    assert (found.facts.num_leaked, found.facts.num_contradictory, found.facts.ceiling) == (1, 0, None)
    assert found.pool == (Example({"noisy": "잙앙욤"}, "작아요"),)
    assert (found.facts.known_words, found.nearest) == (None, None)


def test_conversations_are_the_same_if_every_turn_is(material):
    def talk(*contents):
        roles = ["user", "assistant"] * 3
        return {"messages": [{"role": role, "content": one} for role, one in zip(roles, contents, strict=False)]}

    test = [talk("주차장이 있나요?", "네.", "얼마인가요?", "무료입니다.")]
    train = [talk("주차장이 있나요?", "네.", "얼마인가요?", "만 원입니다."), talk("얼마인가요?", "무엇이요?")]
    found = material(test, train)
    assert (found.facts.num_leaked, found.facts.num_contradictory) == (1, 1)
    assert [example.answer for example in found.pool] == ["무엇이요?"]


def test_rows_are_drawn_by_the_seed_and_stay_in_their_order(material, tmp_path):
    rows = [faq(f"{number}번 방은 어디인가요?", f"{number}층입니다.") for number in range(40)]
    drawn = {"path": str(tmp_path / "test.jsonl"), "rows": 10}
    asked = [material(rows, None, seed=seed, rows=drawn).row_set.rows for seed in (0, 0, 1)]
    first, again, other = ([row.id for row in one] for one in asked)
    assert first == again != other
    assert sorted(first, key=int) == first
    assert len(first) == 10


def test_rows_without_an_answer_are_counted_and_are_no_examples(material):
    broken = [faq("몇 층인가요?", ""), faq("", "삼 층"), {"instruction": "누구세요?", "input": "", "output": 5}]
    found = material([*TEST, faq("어디인가요?", "")], [*TRAIN, *broken])
    assert (found.facts.num_empty, found.facts.num_train, len(found.pool)) == (4, 4, 2)


def test_without_training_rows_there_are_no_examples(material):
    found = material(train=None)
    assert (found.pool, found.facts.num_train, found.nearest) == ((), None, None)


def test_a_prepared_folder_has_both_sides(tmp_path, recipe):
    for name, rows in (("test", TEST), ("train", TRAIN)):
        columns = {field: [row[field] for row in rows] for field in ("instruction", "input", "output")}
        pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / f"{name}.parquet")
    found = read_material(recipe(rows={"path": str(tmp_path)}, measure="exact_match"))
    assert (found.facts.num_test, found.facts.num_train) == (4, 4)


BAD = [
    # questions alone
    (
        [{"instruction": "몇 시인가요?"}],
        None,
        "exact_match",
        "{folder}/test.jsonl: found rows without answers, expected right answers to score by; give a file with both,"
        " or name their column: fields",
    ),
    # Latin letters alone, where syllables count
    (
        [faq("What time is it?", "ten")],
        None,
        "char_accuracy",
        "{folder}/test.jsonl: char_accuracy finds nothing to count in the answers; choose another measure, such as"
        " exact_match",
    ),
    (
        TEST,
        [{"noisy": "념뭄", "clean": "너무"}],
        "exact_match",
        "{folder}/train.jsonl: found training rows of pairs, expected instruction as the test rows are; give both files"
        " the same fields",
    ),
    ([], None, "exact_match", "{folder}/test.jsonl holds no rows; give a file with the fields noisy and clean"),
]


@pytest.mark.parametrize(("test", "train", "measure", "message"), BAD)
def test_rows_that_cannot_be_judged_by_are_one_line(test, train, measure, message, material, tmp_path):
    with pytest.raises(DataError) as caught:
        material(test, train, measure=measure)
    assert str(caught.value) == message.format(folder=tmp_path)


def test_a_folder_that_is_no_prepared_one_is_said(tmp_path, recipe):
    with pytest.raises(DataError) as caught:
        read_material(recipe(rows={"path": str(tmp_path)}))
    found = f"{tmp_path}: found no test.parquet in this folder, expected a prepared set; give a file, or prepare it"
    assert str(caught.value) == found


def test_a_question_that_shares_nothing_has_no_answer():
    nearest = Nearest(["가나다", "라마"])
    nearest.offer("라마바", "예")
    assert nearest.answers == ("", "예")
