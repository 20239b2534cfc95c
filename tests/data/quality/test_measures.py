"""
How varied texts are: numbers that can be checked by hand, and what holds for any texts.

In: texts. Out: distinct n-grams, likeness to the nearest neighbour, common openings.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.data.quality import measures
from hanpuri.data.quality.facts import Opening, ResponseMeasures, TextMeasures
from hanpuri.data.quality.measures import known_responses, response_measures, self_similarity, text_measures

ANY_TEXT = st.text(st.characters(), max_size=30)


# --- distinct n-grams


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["정말 좋아요", "정말 좋아요"], (0.5, 0.5, 0.0)),  # 2 of 4 words, 1 of 2 pairs, no triple
        (["가 가 가 가"], (0.25, 1 / 3, 0.5)),
        (["가 나", "다 가"], (0.75, 1.0, 0.0)),  # 나 다 is no pair: it reaches from one text into the next
        (["가", "", " ", "나"], (1.0, 0.0, 0.0)),
        (["", ""], (0.0, 0.0, 0.0)),
        ([], (0.0, 0.0, 0.0)),
    ],
)
def test_distinct_counts_the_different_words_and_their_neighbours(texts, words):
    assert text_measures(texts).distinct_words == words


def test_distinct_on_syllables_looks_through_all_that_is_none():
    assert text_measures(["나, 나! a나\n나"]).distinct_syllables == (1 / 4, 1 / 3, 1 / 2)
    assert text_measures(["abc ㅋㅋㅋ 123"]).distinct_syllables == (0.0, 0.0, 0.0)


def by_hand(texts: list[list[str]]) -> tuple[float, ...]:
    shares = []
    for n in (1, 2, 3):
        grams = [tuple(items[i : i + n]) for items in texts for i in range(len(items) - n + 1)]
        shares.append(len(set(grams)) / len(grams) if grams else 0.0)
    return tuple(shares)


@given(st.lists(st.text("가나다 ab", max_size=20), max_size=8))
def test_distinct_is_what_a_plain_count_gives(texts):
    measured = text_measures(texts)
    assert measured.distinct_words == by_hand([text.split() for text in texts])
    assert measured.distinct_syllables == by_hand([[one for one in text if "가" <= one <= "힣"] for text in texts])


# --- nearest neighbours


@pytest.mark.parametrize(
    ("texts", "likeness"),
    [
        (["가나다라", "가나다라"], 1.0),
        (["가나다라", "마바사아"], 0.0),
        (["가나다라", "가나다마"], 1 / 3),  # 가나다 of 가나다, 나다라, 나다마
        (["가", "가"], 1.0),  # shorter than a piece: the whole text is one
        (["", ""], 1.0),
        (["가나다"], None),
        ([], None),
    ],
)
def test_likeness_is_the_share_of_common_pieces(texts, likeness):
    assert self_similarity(texts) == likeness


@given(st.lists(ANY_TEXT, min_size=1, max_size=8))
def test_likeness_is_one_where_each_text_has_a_twin(texts):
    assert self_similarity([*texts, *texts]) == 1.0


# --- openings


def test_openings_are_ordered_by_how_many_share_them_and_those_of_one_text_are_left_out():
    texts = ["이 영화 참 좋다", "이 영화 별로", "이 영화", "방이 좁아요", "방이 좁아요?", "처음  옴", "\t이\n영화 굿"]
    measured = text_measures(texts)
    assert measured.first_words == (Opening("이 영화", 4),)
    assert measured.first_characters == ()
    alike = text_measures(["숙소는 정말 좋았지만 멀어요", "숙소는 정말 좋았지만 작아요", "", ""])
    assert alike.first_characters == (Opening("숙소는 정말 좋았지", 2),)
    assert alike.empty == 2


# --- the sample


def test_all_texts_are_looked_at_where_there_are_few():
    assert text_measures(["가나", "다 "]) == TextMeasures(
        rows=2,
        looked_at=2,
        characters=4,
        empty=0,
        distinct_words=(1.0, 0.0, 0.0),
        distinct_syllables=(1.0, 1.0, 0.0),
        compared=2,
        self_similarity=0.0,
        first_words=(),
        first_characters=(),
    )


@given(st.lists(ANY_TEXT, max_size=12), st.randoms())
def test_the_order_of_the_texts_does_not_matter(texts, random):
    shuffled = random.sample(texts, len(texts))
    assert text_measures(shuffled) == text_measures(texts)


@settings(max_examples=50)
@given(st.lists(st.text("가나다라마", max_size=9), max_size=60), st.integers(1, 9), st.integers(9, 40), st.randoms())
def test_the_order_does_not_matter_where_a_part_is_looked_at_either(texts, rows, characters, random):
    ids = [f"{number}" for number in range(len(texts))]
    both = list(zip(texts, ids, strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "MAX_ROWS", rows)
        patch.setattr(measures, "MAX_CHARACTERS", characters)
        measured = text_measures(texts, ids)
        shuffled = random.sample(both, len(both))
        assert text_measures([text for text, _ in shuffled], [id for _, id in shuffled]) == measured
    assert measured.rows == len(texts)
    assert measured.looked_at <= rows
    assert measured.characters <= characters
    assert measured.looked_at == min(rows, len(texts)) or measured.characters > characters - 9


def test_a_sample_by_id_holds_its_share_of_a_text_that_repeats(monkeypatch):
    monkeypatch.setattr(measures, "MAX_ROWS", 500)
    texts = ["네", "아니요"] * 2_000
    measured = text_measures(texts, map(str, range(4_000)))
    assert measured.looked_at == 500
    assert {opening.text for opening in measured.first_words} == {"네", "아니요"}
    assert all(200 < opening.rows < 300 for opening in measured.first_words)


def test_texts_and_ids_go_together():
    with pytest.raises(ValueError, match=r"zip\(\) argument 2 is longer than argument 1"):
        text_measures(["가", "나"], ["1"])


# --- responses


@pytest.mark.parametrize(
    ("prompt", "response", "much_longer"),
    [
        ("쨰밌어요", "재밌어요", 0),
        ("가", "가" * 21, 0),  # short texts may differ by 20 characters
        ("가", "가" * 22, 1),
        ("가" * 100, "가" * 150, 0),  # long ones by half their length
        ("가" * 100, "가" * 151, 1),
    ],
)
def test_a_response_is_much_longer_by_half_and_by_twenty_characters(prompt, response, much_longer):
    assert response_measures([(prompt, response)]) == ResponseMeasures(1, 0, much_longer)


def test_a_response_of_white_space_is_empty():
    assert response_measures([("가", " \n"), ("나", ""), ("다", "라")]).empty == 2


def test_responses_known_from_training_are_counted_row_by_row_and_to_the_letter():
    others = {"validation": [], "test": ["네.", "네", "네.", "아니요."]}
    assert known_responses(["네.", "글쎄요."], others) == {"validation": 0, "test": 2}


def test_chosen_responses_are_held_against_rejected_ones():
    pairs = [("질문", "긴 대답이에요"), ("질문", "네"), ("질문", "네")]
    assert response_measures(pairs, ["네", "긴 대답이에요", "네"]).preferred_longer == 1
