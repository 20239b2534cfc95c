"""
Bytes to text and lines.

In: chunks of bytes, however they are cut. Out: the same text, and its lines.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.data.files.encodings import decode_text, fitting_encoding, split_lines
from hanpuri.errors import DataError

KOREAN = st.text(st.sampled_from("가값힣 뷁ab1,.!?\r\n"), max_size=200)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 9), st.sampled_from(["utf-8", "utf-16-le"]))
def test_text_and_lines_are_the_same_however_the_bytes_are_cut(text, length, encoding):
    data = text.encode(encoding)
    chunks = [data[at : at + length] for at in range(0, len(data), length)]
    pieces = list(decode_text(chunks, encoding, "a.txt"))
    assert "".join(pieces) == text
    assert "" not in pieces
    lines = list(split_lines(pieces, "a.txt"))
    assert "".join(lines) == text
    assert [line.removesuffix("\n") for line in lines] == text.removesuffix("\n").split("\n") * bool(text)


@given(KOREAN, st.sampled_from(["utf-8", "cp949"]))
def test_an_encoding_that_is_found_can_be_decoded(text, encoding):
    found = fitting_encoding(text.encode(encoding))
    assert found is not None
    assert text.encode(encoding).decode(found) is not None
    assert found == "utf-8" or encoding == "cp949"


@pytest.mark.parametrize(
    ("sample", "encoding"),
    [
        ("값이 싸요".encode(), "utf-8"),
        ("값이 싸요".encode("cp949"), "cp949"),
        ("값이 싸요".encode("utf-16"), "utf-16"),
        # without a mark; of Latin letters alone it would pass for utf-8 with zero bytes
        ("값이 싸요".encode("utf-16-le"), "utf-16"),
        ("id,text\r\n".encode("utf-16-le"), "utf-16"),
        # a zero byte by itself makes no utf-16
        ("값이\0 싸요, 또 올게요\n".encode(), "utf-8"),
        (b"plain\0 text, and so on\n", "utf-8"),
        # cut within a character
        ("값이 싸".encode()[:-1], "utf-8"),
        ("값이 싸".encode("cp949")[:-1], "cp949"),
        # nothing, and nothing that fits
        (b"", "utf-8"),
        ("값".encode() + b"\xff", None),
    ],
)
def test_the_encoding_of_a_sample_is_found(sample, encoding):
    assert fitting_encoding(sample) == encoding


def test_a_line_that_goes_on_beyond_the_limit_is_refused_before_the_rest_is_read():
    pieces = iter(["a\n", "b" * 6, "b" * 6, "b" * 6])
    with pytest.raises(DataError) as caught:
        list(split_lines(pieces, "a.txt", 10))
    assert str(caught.value) == (
        "a.txt:2: found a line of more than 10 characters, expected less; put each row on a line of its own"
    )
    assert next(pieces) == "b" * 6
