"""
Reading JSON files an element at a time.

In: text, in pieces of any length. Out: elements with the lines where they begin, broken ones as faults.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.data.files.formats import Fault
from hanpuri.data.files.jsonfiles import read_json
from hanpuri.errors import DataError

ELEMENT = 'write the element as {"text": "..."}'
LIST = "write the rows as a list of objects: [{...}, {...}]"


def read(text: str, length: int = 1 << 18) -> list:
    return list(read_json((text[at : at + length] for at in range(0, len(text), length)), "a.json"))


def told(text: str) -> str:
    with pytest.raises(DataError) as caught:
        read(text)
    return str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.text(), VALUES, max_size=4), max_size=6),
    st.integers(1, 40),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
)
def test_elements_are_those_of_the_json_library_however_the_text_is_cut(rows, length, indent, inside):
    value = {"n": 1, "data": rows, "end": {"a": [1]}} if inside else rows
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    assert [element for _, element in read(text, length)] == rows


@given(st.text(st.sampled_from('[]{},:"\\ \n1a')), st.integers(1, 9))
def test_whatever_is_in_the_file_it_is_read_or_refused_and_never_a_crash(text, length):
    outcomes = []
    for size in (length, 1 << 18):
        try:
            outcomes.append(read(text, size))
        except DataError as error:
            outcomes.append(str(error))
    if isinstance(outcomes[0], list) and isinstance(outcomes[1], list):
        assert [line for line, _ in outcomes[0]] == [line for line, _ in outcomes[1]]


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        # a list
        ('[{"a": 1}, {"b": [2, {}]}]', [(1, {"a": 1}), (1, {"b": [2, {}]})]),
        # the line is that where the element begins
        ('\n[\n {"a":\n 1},\n\n{"b": 2}\n]\n', [(3, {"a": 1}), (6, {"b": 2})]),
        # the list in an object, other values passed over
        ('{"version": "[1]", "meta": {"n": [1]}, "data": [{"a": 1}], "n": 12}', [(1, {"a": 1})]),
        ("[]", []),
        ('{"data": []}', []),
    ],
)
def test_elements_know_their_lines(text, elements):
    assert read(text) == elements
    assert read(text, 1) == elements


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        # no object, among objects
        (
            '[{"a": 1},\n"별로",\n{"b": 2}]',
            [(1, {"a": 1}), (2, Fault(2, "found a string, expected an object", ELEMENT)), (3, {"b": 2})],
        ),
        ("[12]", [(1, Fault(1, "found a number, expected an object", ELEMENT))]),
        # broken ones are passed over
        (
            '[{"a": },\n{"a" 1, "c": "}"},\n{"a":\n\n oops},\n{"b": 2}]',
            [
                (1, Fault(1, "found an element that is no JSON (Expecting value), expected an object", ELEMENT)),
                (
                    2,
                    Fault(2, "found an element that is no JSON (Expecting ':' delimiter), expected an object", ELEMENT),
                ),
                (
                    3,
                    Fault(
                        3,
                        "found an element that is no JSON (Expecting value in line 5), expected an object",
                        ELEMENT,
                    ),
                ),
                (6, {"b": 2}),
            ],
        ),
        (
            '[oops, {"b": 2}]',
            [
                (1, Fault(1, "found an element that is no JSON (Expecting value), expected an object", ELEMENT)),
                (1, {"b": 2}),
            ],
        ),
        # a quote that is not closed ends with its line
        (
            '[{"a": "b},\n{"b": "c"}]',
            [
                (
                    1,
                    Fault(
                        1,
                        "found an element that is no JSON (Invalid control character at), expected an object",
                        ELEMENT,
                    ),
                ),
            ],
        ),
    ],
)
def test_broken_elements_are_faults_at_their_lines(text, elements):
    assert read(text) == elements


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" \n", f"a.json:2: found nothing, expected a list of rows; {LIST}"),
        ("값", f"a.json:1: found 값, expected a list of rows; {LIST}"),
        ('{"a": 1}', f"a.json:1: found an object without a list in it, expected a list of rows; {LIST}"),
        (
            '{"train": [{}],\n"test": [{}]}',
            f'a.json:2: found two lists, "train" and "test", expected one with the rows; {LIST}',
        ),
        # an object a line
        (
            '{"a": [1]}\n{"a": [2]}\n',
            "a.json:1: found an object a line, expected a list of them; say that it is JSONL: --format jsonl",
        ),
        ('{"n": 1\n, 5: [{}]}', f'a.json:2: found no "key": value in an object; {LIST}'),
        (
            '{"n": nil, "data": [{}]}',
            f"a.json:1: found an element that is no JSON (Expecting value), expected an object; {LIST}",
        ),
        # cut off
        ('[{"a": 1},\n', f"a.json:2: found the end of the file, expected ] behind the last element; {LIST}"),
        ('{"data": [{"a": 1}]\n', f"a.json:2: found the end of the file, expected }} behind the last value; {LIST}"),
        (
            '[{"a": 1},\n{"b"',
            "a.json:2: found an element that is no JSON (Expecting ':' delimiter), expected an object; "
            "look for a quote or bracket that is not closed",
        ),
        # no comma
        ('[{"a": 1}\n{"b": 2}]', f"a.json:2: found {{ behind an element, expected a comma; {LIST}"),
        # two values
        ('[{"a": 1}]\n[]', f"a.json:2: found more behind the end of the list, expected nothing; {LIST}"),
    ],
)
def test_a_file_that_is_no_list_of_rows_is_told(text, message):
    assert told(text) == message


def test_brackets_a_million_deep_and_numbers_of_5000_digits_are_faults_and_no_crash():
    assert told('[{"a": ' + "[" * 1_000_000).startswith("a.json:1: found an element that is no JSON (")
    ((_, long),) = read('[{"a": ' + "1" * 5000 + "}]")
    assert long.message.startswith("found an element that is no JSON (Exceeds the limit (4300 digits)")
