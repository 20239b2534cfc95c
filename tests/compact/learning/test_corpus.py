"""
Text files as one stream, and windows drawn from it.

In: files with a weight each. Out: symbols (B, T) and spaces (B, T), or one line that says what is wrong with a file.
"""

import gzip
import json
import lzma
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.compact.learning.corpus import SHARE_AT_LINE_START, TextStream, draw_corpora, read_corpora
from hanpuri.compact.settings import CorpusSettings
from hanpuri.compact.vocabulary import FIRST_OTHER, Vocabulary
from hanpuri.errors import DataError
from hanpuri.hangul import NUM_SYLLABLES

LINE_BREAK = NUM_SYLLABLES + FIRST_OTHER  # the first of a vocabulary's other characters


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test works in a folder of its own, so that messages hold bare file names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def corpus(name: str, data: str | bytes | None = None, **fields: Any) -> CorpusSettings:
    """Write a file, if there is something to write, and name it in a recipe's words."""
    if data is not None:
        Path(name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return CorpusSettings.model_validate({"path": name, "weight": 1, "final_weight": 1, **fields})


def spell(stream: TextStream, vocabulary: Vocabulary) -> str:
    """What a stream holds, with a space wherever one or more stood."""
    characters = [
        chr(0xAC00 + symbol) if symbol < NUM_SYLLABLES else vocabulary.others[symbol - NUM_SYLLABLES - FIRST_OTHER]
        for symbol in stream.symbols.tolist()
    ]
    return "".join(" " * spaced + c for c, spaced in zip(characters, stream.spaced.tolist(), strict=True))


def read(*corpora: CorpusSettings, seed: int = 0) -> str:
    return spell(*read_corpora(corpora, seed))


def draw(stream: TextStream, number: int, length: int, count: int = 500) -> torch.Tensor:
    """Windows of one corpus, (count, length)."""
    return stream.draw(torch.full((count,), number), length, torch.Generator().manual_seed(3))[0]


# --- reading


def test_lines_are_joined_by_line_breaks_and_spaces_become_marks():
    stream, vocabulary = read_corpora([corpus("a.txt", "방이 좁아요\n별로!\n")], 0)
    assert spell(stream, vocabulary) == "\n방이 좁아요\n별로!\n"
    assert stream.symbols[0] == LINE_BREAK
    assert len(stream) == 11
    assert stream.starts.tolist() == [0, 11]
    assert stream.line_breaks.tolist() == [0, 6, 10]


@pytest.mark.parametrize(
    ("name", "data", "fields"),
    [
        ("a.txt", "방이\n좁아요\n", {}),
        ("a.txt", "방이\n좁아요", {}),  # no line end at the end
        ("a.txt", "방이\r\n좁아요\r\n", {}),  # from Windows
        ("a.txt.xz", lzma.compress("방이\n좁아요\n".encode()), {}),
        ("a.txt.gz", gzip.compress("방이\n좁아요\n".encode(), mtime=0), {}),
        ("a.xz", lzma.compress("방이\n좁아요\n".encode()), {}),
        ("a.jsonl", '{"id": 1, "output": "방이"}\n{"id": 2, "output": "좁아요"}\n', {"field": "output"}),
        ("a.jsonl.xz", lzma.compress('{"output": "방이"}\n{"output": "좁아요"}\n'.encode()), {"field": "output"}),
        # a field that is called text needs no telling
        ("a.jsonl", '{"text": "방이"}\n{"text": "좁아요"}\n', {}),
        ("a.jsonl.xz", lzma.compress('{"text": "방이"}\n{"text": "좁아요"}\n'.encode()), {}),
        ("a.csv", "id,text\n1,방이\n2,좁아요\n", {}),
    ],
)
def test_the_same_lines_are_read_from_every_kind_of_file(name, data, fields):
    assert read(corpus(name, data, **fields)) == "\n방이\n좁아요\n"


def test_corpora_follow_one_another():
    stream, vocabulary = read_corpora([corpus("a.txt", "방\n"), corpus("b.txt", "좁아요\n")], 0)
    assert spell(stream, vocabulary) == "\n방\n\n좁아요\n"
    assert stream.starts.tolist() == [0, 3, 8]
    assert stream.line_breaks.tolist() == [0, 2, 3, 7]


LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12), min_size=1, max_size=6)


@given(LINES.filter(lambda lines: any(line.strip() for line in lines)))
def test_a_stream_spells_any_lines_but_for_repeated_spaces(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = "\n" + "\n".join(lines) + "\n"
    while "  " in text:
        text = text.replace("  ", " ")
    assert read(CorpusSettings(path=path, weight=1, final_weight=1)) == text


def test_a_given_vocabulary_is_kept_and_characters_without_a_number_are_unknown():
    known = Vocabulary("방이", "\n")
    stream, vocabulary = read_corpora([corpus("a.txt", "방!\n")], 0, known)
    assert vocabulary is known
    assert stream.symbols.tolist() == [LINE_BREAK, ord("방") - 0xAC00, NUM_SYLLABLES + 1, LINE_BREAK]


def test_shuffled_lines_depend_on_the_seed_and_on_nothing_else(sentences):
    text = "\n".join(sentences) + "\n"
    plain, shuffled = corpus("a.txt", text), corpus("b.txt", text, shuffle=True)
    assert read(plain, seed=1) == read(plain, seed=2) == "\n" + text
    assert read(shuffled, seed=1) == read(shuffled, seed=1)
    assert len({read(plain, seed=1), read(shuffled, seed=1), read(shuffled, seed=2)}) == 3
    assert sorted(read(shuffled, seed=1).splitlines()) == sorted(read(plain).splitlines())


# --- drawing


def test_windows_lie_inside_their_corpus_and_reach_both_of_its_ends():
    texts = {"가": "가가 가가가\n" * 7, "나": "나나나나나나나나 나\n나\n나나나나나나나나\n", "다": "다다다\n" * 9}
    stream, _ = read_corpora([corpus(f"{name}.txt", text) for name, text in texts.items()], 0)
    for number, name in enumerate(texts):
        windows = draw(stream, number, 10)
        assert set(windows.unique().tolist()) == {ord(name) - 0xAC00, LINE_BREAK}
        ends = [stream.symbols[stream.starts[number] :][:10], stream.symbols[: stream.starts[number + 1]][-10:]]
        assert all((windows == end).all(1).any() for end in ends)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(2, 15), st.integers(0, 2**31))
def test_windows_of_any_corpora_lie_inside_their_corpus(tmp_path_factory, sizes, length, seed):
    path = tmp_path_factory.mktemp("sizes")
    corpora = []
    for number, size in enumerate([*sizes, 20]):
        (path / f"{number}.txt").write_text(chr(0xAC00 + number) * size + "\n", encoding="utf-8")
        corpora.append(CorpusSettings(path=path / f"{number}.txt", weight=1, final_weight=1))
    stream, _ = read_corpora(corpora, 0)
    wanted = torch.arange(len(corpora)).repeat(20)
    symbols, spaces = stream.draw(wanted, length, torch.Generator().manual_seed(seed))
    assert symbols.shape == spaces.shape == (len(wanted), length)
    for number, window in zip(wanted.tolist(), symbols, strict=True):
        if stream.starts[number + 1] - stream.starts[number] >= length:
            assert set(window.tolist()) <= {number, LINE_BREAK}
        else:  # shorter than a window: other texts fill it up, but it is there
            assert number in window.tolist()


def test_half_of_the_windows_start_at_a_line_break(sentences):
    stream, _ = read_corpora([corpus("a.txt", "\n".join(sentences) + "\n")], 0)
    at_line = (draw(stream, 0, 16, count=4000)[:, 0] == LINE_BREAK).double().mean().item()
    # those that start anywhere hit one by chance, too
    by_chance = len(stream.line_breaks) / len(stream)
    assert at_line == pytest.approx(SHARE_AT_LINE_START + (1 - SHARE_AT_LINE_START) * by_chance, abs=0.03)


@pytest.mark.parametrize("length", [2, 3, 16])
def test_windows_that_are_texts_of_their_own_have_a_line_break_at_each_end_and_no_space_beside_it(sentences, length):
    stream, _ = read_corpora([corpus("a.txt", "\n".join(sentences))], 0)
    seed = torch.Generator().manual_seed(3)
    symbols, spaced = stream.draw(torch.zeros(500, dtype=torch.long), length, seed, as_texts=True)
    assert (symbols[:, [0, -1]] == LINE_BREAK).all()
    assert not spaced[:, [0, 1, -1]].any()
    assert torch.equal(symbols[:, 1:-1], draw(stream, 0, length)[:, 1:-1])


def test_windows_depend_on_the_generator_alone(sentences):
    stream, _ = read_corpora([corpus("a.txt", "\n".join(sentences) + "\n")], 0)
    assert torch.equal(draw(stream, 0, 16), draw(stream, 0, 16))


@pytest.mark.parametrize("weights", [[1.0, 0.0, 3.0, 0.0], [0.0, 0.1, 0.1], [7.0]])
def test_corpora_are_drawn_by_their_weights_and_never_without_one(weights):
    shares = torch.tensor(weights)
    drawn = draw_corpora(shares, 20_000, torch.Generator().manual_seed(0))
    counts = torch.bincount(drawn, minlength=len(weights)) / len(drawn)
    torch.testing.assert_close(counts, shares / shares.sum(), atol=0.02, rtol=0)
    assert not counts[shares == 0].any()


def test_without_a_generator_torchs_own_draws(sentences):
    stream, _ = read_corpora([corpus("a.txt", "\n".join(sentences) + "\n")], 0)

    def windows(seed: int) -> list[int]:
        torch.manual_seed(seed)
        return stream.draw(draw_corpora(torch.ones(1), 9), 16)[0].flatten().tolist()

    assert windows(1) == windows(1) != windows(2)


def test_the_spaces_of_a_window_are_those_of_its_characters():
    stream, _ = read_corpora([corpus("a.txt", "가 나다 라마바\n" * 5)], 0)
    symbols, spaces = stream.draw(torch.zeros(50, dtype=torch.long), 8, torch.Generator().manual_seed(0))
    after_a_space = (symbols == ord("나") - 0xAC00) | (symbols == ord("라") - 0xAC00)
    assert torch.equal(spaces, after_a_space)


# --- faults


HALF_PACKED = lzma.compress("방이 좁아요\n".encode() * 99)[:-20]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            lambda: corpus("nothing.txt"),
            "nothing.txt: found no such file; correct the path in the recipe's data",
        ),
        (lambda: corpus("empty.txt", ""), "empty.txt holds no text; give a file with a text a line"),
        (lambda: corpus("blank.txt", "\n \n\t\n"), "blank.txt holds no text; give a file with a text a line"),
        (lambda: corpus("empty.txt.xz", lzma.compress(b"")), "empty.txt.xz holds no text; give a file with a text a"),
        (
            lambda: corpus("broken.txt.xz", b"no xz"),
            "broken.txt.xz cannot be read: Input format not supported by decoder; give a UTF-8 text file, plain or .xz",
        ),
        (
            lambda: corpus("half.txt.xz", HALF_PACKED),
            "half.txt.xz cannot be read: Compressed file ended before the end-of-stream marker was reached; give a",
        ),
        (
            lambda: corpus("korean.txt", "방이 좁아요".encode("cp949")),
            "korean.txt cannot be read: 'utf-8' codec can't decode byte 0xb9 in position 0: invalid start byte; give a",
        ),
        # these are the words of hanpuri.data.files.sources, which reads all but plain text
        (
            lambda: corpus("a.jsonl", json.dumps({"input": "방", "output": "이"}) + "\n", field="ouput"),
            'a.jsonl:1: found no field "ouput"',
        ),
        (lambda: corpus("a.txt", "방이\n", field="text"), 'a.txt: found a text file, which has no field "text"'),
        (lambda: corpus("nothing.jsonl", field="text"), "nothing.jsonl: found no such file"),
    ],
)
def test_a_file_that_cannot_be_learnt_from_is_named(given, message):
    with pytest.raises(DataError) as caught:
        read(given())
    assert str(caught.value).startswith(message)


def test_characters_are_counted_over_all_corpora():
    _, vocabulary = read_corpora([corpus("a.txt", "!!\n??\n"), corpus("b.txt", "??~\n")], 0)
    assert Counter(vocabulary.others) == Counter("\n!?~")
    assert vocabulary.others.startswith("\n?")
