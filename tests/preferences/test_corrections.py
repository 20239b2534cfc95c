"""What people made of restored texts becomes pairs, where they agree."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.errors import DataError
from hanpuri.preferences.corrections import Correction, pairs_from_corrections, read_corrections

GOOD = {"noisy": "확잠실읾", "restored": "확장실이", "corrected": "화장실이"}


def said(corrected, *, noisy="확잠실읾", restored="확장실이", person=None, time=None, number=1):
    where = f"a.jsonl:{number}"
    return Correction(where, noisy, restored, corrected, person or where, time)


def pairs_of(*given):
    lines = [said(**{"number": number, **one}) for number, one in enumerate(given, 1)]
    found = pairs_from_corrections(lines)
    return [(pair["chosen"], pair["rejected"]) for pair in found.gathered.rows], found


@pytest.fixture
def read(tmp_path):
    """Write lines into a file and read it."""

    def call(*lines, **how):
        told = "".join((one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)) + "\n" for one in lines)
        (tmp_path / "a.jsonl").write_text(told, encoding="utf-8")
        return read_corrections(tmp_path / "a.jsonl", **how)

    return call


def test_a_correction_stands_before_what_it_corrected():
    pairs, found = pairs_of({"corrected": "화장실이"})
    assert pairs == [("화장실이", "확장실이")]
    assert found.gathered.rows[0] == {
        **{"prompt": "확잠실읾", "chosen": "화장실이", "rejected": "확장실이"},
        **{"source": "corrections", "where": "a.jsonl:1", "people": 1},
    }


@pytest.mark.parametrize(
    ("corrected", "why"),
    [
        ("확장실이", "accepted as it is"),
        ("확장실이 ", "accepted as it is"),  # white space at the end is nothing to learn
        (None, "neither corrected nor accepted"),
    ],
)
def test_what_was_not_corrected_gives_nothing_and_is_counted(corrected, why):
    pairs, found = pairs_of({"corrected": corrected})
    assert (pairs, found.gathered.counts) == ([], {why: 1})


def test_people_who_agree_make_one_pair_that_says_how_many_they_are():
    pairs, found = pairs_of({"corrected": "화장실이"}, {"corrected": "화장실이"})
    assert (pairs, found.gathered.rows[0]["people"]) == ([("화장실이", "확장실이")], 2)
    assert found.gathered.counts == {"said by another person too": 1}


@pytest.mark.parametrize("other", ["화장지", "확장실이"])  # another correction; or it was right as it is
def test_people_who_do_not_agree_make_none_and_stand_apart(other):
    pairs, found = pairs_of(
        {"corrected": "화장실이", "person": "a"},
        {"corrected": other, "person": "b"},
        {"corrected": "너무", "noisy": "념뭄"},
    )
    assert pairs == [("너무", "확장실이")]
    assert found.gathered.counts == {"people do not agree": 2}
    assert [(line["corrected"], line["id"]) for line in found.contradictions] == [("화장실이", "a"), (other, "b")]


@pytest.mark.parametrize(
    ("times", "last"),
    [
        ((None, None), "둘째"),  # the later line
        ((2.0, 1.0), "첫째"),  # the later time
        ((2.0, None), "둘째"),  # times that are not all there count for nothing
    ],
)
def test_of_the_same_person_the_last_word_counts(times, last):
    first, second = (
        {"corrected": text, "person": "a", "time": time} for text, time in zip(("첫째", "둘째"), times, strict=True)
    )
    pairs, found = pairs_of(first, second)
    assert pairs == [(last, "확장실이")]
    assert found.gathered.counts == {"said again later by the same person": 1}


def test_what_another_version_restored_is_a_pair_of_its_own_if_it_was_corrected_alike():
    other = {"corrected": "화장실이", "person": "a", "restored": "화잠실이"}
    pairs, _ = pairs_of({"corrected": "화장실이", "person": "a"}, other)
    assert pairs == [("화장실이", "확장실이"), ("화장실이", "화잠실이")]


def test_corrections_that_change_the_length_are_counted():
    _, found = pairs_of({"corrected": "화장실"}, {"corrected": "나무", "restored": "너무", "noisy": "념뭄"})
    assert found.num_other_length == 1


def test_a_line_may_be_corrected_accepted_or_neither_and_texts_are_nfc(read):
    given, faulty = read(
        {**GOOD, "corrected": "\u1112\u116a장실이", "id": 7, "time": "2026-11-22T10:00:00Z"},
        {"noisy": "념뭄", "restored": "너무", "accepted": True},
        {"noisy": "념뭄", "restored": "너무", "accepted": False, "model": "compact:base"},
        {"noisy": "념뭄", "restored": "너무", "corrected": "너무", "accepted": False},
    )
    assert faulty == []
    assert [(one.corrected, one.time) for one in given] == [
        *(("화장실이", 1795341600.0), ("너무", None), (None, None), (None, None)),
    ]
    assert [one.person.rpartition(":")[2] for one in given] == ["7", "2", "3", "4"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"noisy": "념뭄", "restord": "너무"}, 'found no field "restored" but noisy, restord, did you mean "restord"?'),
        ({**GOOD, "noisy": 5}, "the field noisy is a number, expected a text"),
        ({**GOOD, "corrected": " "}, "the field corrected is empty, expected a text"),
        ({**GOOD, "accepted": "yes"}, "the field accepted is a string, expected true or false"),
        ({**GOOD, "accepted": True}, "found accepted with another text in corrected, expected one of both"),
        ({**GOOD, "id": ["a"]}, "the field id is a list, expected a text"),
        ({**GOOD, "time": "gestern"}, "found the time 'gestern', expected one as 2026-11-22T10:00:00+09:00"),
        ({**GOOD, "time": float("nan")}, "found the time 'nan', expected one as 2026-11-22T10:00:00+09:00"),
        ("{", "found a line that is no JSON (Expecting property name enclosed in double quotes at column 2)"),
    ],
)
def test_a_faulty_line_is_named_or_left_out_and_counted(read, tmp_path, line, message):
    with pytest.raises(DataError, match=f"^{re.escape(f'{tmp_path}/a.jsonl:2: {message}')}"):
        read(GOOD, line)
    given, faulty = read(GOOD, line, drop=True)
    found = pairs_from_corrections(given, faulty)
    assert (len(given), found.gathered.num_rows, found.gathered.counts) == (1, 2, {"faulty": 1})
    assert found.gathered.left_out[0].detail.startswith(message[:20])


def test_all_faulty_lines_are_told_at_once(read):
    with pytest.raises(DataError, match=r"^found 2 lines that are no corrections: .*a\.jsonl:1: .*; .*a\.jsonl:3: "):
        read({"noisy": "념뭄"}, GOOD, {"restored": "너무"})


def test_a_file_without_rows_is_refused(read, tmp_path):
    with pytest.raises(DataError, match=r"a\.jsonl holds no rows; write it as "):
        read()
    with pytest.raises(DataError, match=r"found no such file"):
        read_corrections(tmp_path / "away.jsonl")


some = st.fixed_dictionaries(
    {
        **{"noisy": st.sampled_from("ㄱㄴ"), "restored": st.sampled_from("가나")},
        **{"corrected": st.sampled_from(["가", "나", "다", None]), "person": st.sampled_from(["a", "b", None])},
        "time": st.sampled_from([None, 1.0, 2.0]),
    }
)


@given(st.lists(some, max_size=8))
def test_whatever_people_say_each_line_gives_a_pair_or_a_reason_and_no_text_has_two_right_forms(given_lines):
    pairs, found = pairs_of(*given_lines)
    assert len(pairs) + len(found.gathered.left_out) == len(given_lines)
    right: dict[object, set[object]] = {}
    for pair in found.gathered.rows:
        right.setdefault(pair["prompt"], set()).add(pair["chosen"])
    assert all(len(texts) == 1 for texts in right.values())
    assert not any(chosen == rejected for chosen, rejected in pairs)
