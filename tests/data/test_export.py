"""
Rows in a provider's format, and back.

In: rows of a prepared set. Out: files that keep the provider's published rules, from which each row comes back whole.
"""

import gzip
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pyarrow
import pyarrow.parquet
import pytest
from google.genai import types as google
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter

from hanpuri.data.export.lines import Wording, dump_line, from_line, to_line
from hanpuri.data.export.reading import read_export
from hanpuri.data.export.schemas import LIMITS, SCHEMAS, check_export_format, faults_of
from hanpuri.data.export.writing import export_data
from hanpuri.data.preparation.shards import cells
from hanpuri.data.recipe import FORMS
from hanpuri.data.templates import restoration_instruction
from hanpuri.errors import DataError

ROWS: dict[str, dict[str, Any]] = {
    "pairs": {"noisy": "뱡뮤니 않 닷혀욧", "clean": "방문이 안 닫혀요"},
    "instruction": {"instruction": "한 단어로 요약하세요", "input": "문이 자꾸 열려요", "output": "고장"},
    "messages": {
        "messages": [
            {"role": "system", "content": "짧게 답합니다."},
            {"role": "user", "content": "몇 시에 여나요?"},
            {"role": "assistant", "content": "아홉 시요."},
            {"role": "user", "content": "주말에도요?"},
            {"role": "assistant", "content": "주말은 쉽니다."},
        ]
    },
    "preference": {"prompt": "인사해 주세요", "input": "", "chosen": "안녕하세요!", "rejected": "뭐"},
}
CARRIED = [(form, format) for format, forms in SCHEMAS.items() for form in forms]
REFUSED = [(form, format) for format in SCHEMAS for form in FORMS if form not in SCHEMAS[format]]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test works in a folder of its own, so that messages hold bare file names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(rows: list[dict[str, Any]], name: str = "rows.jsonl") -> Path:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Path(name)


def ten(form: str) -> list[dict[str, Any]]:
    return [{"id": f"r{number}", **ROWS[form]} for number in range(10)]


def lines(form: str, format: str, **options: Any) -> list[dict[str, Any]]:
    export_data(write(ten(form)), Path("out.jsonl"), format, **options)
    return [json.loads(line) for line in Path("out.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]


def told(action: Callable[[], object]) -> str:
    """What a person is told; nothing may be written, changed or left."""
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    with pytest.raises(DataError) as caught:
        action()
    assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before
    return str(caught.value)


def told_of(rows: list[dict[str, Any]], format: str, **options: Any) -> str:
    path = write(rows)
    return told(lambda: export_data(path, Path("out.jsonl"), format, **options))


# --- what a line looks like


@pytest.mark.parametrize(
    ("form", "format", "expected"),
    [
        # a pair is asked for in our words, or in those that are given
        (
            "pairs",
            "openai",
            '{"messages": [{"role": "user", "content": "고치세요\\n\\n뱡뮤니 않 닷혀욧"},'
            ' {"role": "assistant", "content": "방문이 안 닫혀요"}]}',
        ),
        ("pairs", "alpaca", '{"instruction": "고치세요", "input": "뱡뮤니 않 닷혀욧", "output": "방문이 안 닫혀요"}'),
        ("pairs", "koalpaca", '{"instruction": "고치세요", "input": "뱡뮤니 않 닷혀욧", "output": "방문이 안 닫혀요"}'),
        (
            "pairs",
            "gemini",
            '{"contents": [{"role": "user", "parts": [{"text": "고치세요\\n\\n뱡뮤니 않 닷혀욧"}]},'
            ' {"role": "model", "parts": [{"text": "방문이 안 닫혀요"}]}]}',
        ),
        (
            "pairs",
            "messages",
            '{"prompt": [{"role": "user", "content": "고치세요\\n\\n뱡뮤니 않 닷혀욧"}],'
            ' "completion": [{"role": "assistant", "content": "방문이 안 닫혀요"}]}',
        ),
    ],
)
def test_a_pair_becomes_an_instruction(form, format, expected):
    line, _ = to_line(ROWS[form], form, format, Wording(instruction="고치세요"))
    assert dump_line(line) == expected


def test_a_pair_is_asked_for_in_our_words_where_none_are_given():
    assert lines("pairs", "alpaca")[0]["instruction"] == restoration_instruction()


def test_a_preference_becomes_two_answers():
    assert lines("preference", "openai")[0] == {
        "input": {"messages": [{"role": "user", "content": "인사해 주세요"}]},
        "preferred_output": [{"role": "assistant", "content": "안녕하세요!"}],
        "non_preferred_output": [{"role": "assistant", "content": "뭐"}],
    }
    assert lines("preference", "gemini", system="친절하게")[0] == {
        "system_instruction": {"role": "system", "parts": [{"text": "친절하게"}]},
        "contents": [{"role": "user", "parts": [{"text": "인사해 주세요"}]}],
        "completions": [
            {"score": 1, "completion": {"role": "model", "parts": [{"text": "안녕하세요!"}]}},
            {"score": 0, "completion": {"role": "model", "parts": [{"text": "뭐"}]}},
        ],
    }
    assert lines("preference", "messages")[0] == {
        "prompt": [{"role": "user", "content": "인사해 주세요"}],
        "chosen": [{"role": "assistant", "content": "안녕하세요!"}],
        "rejected": [{"role": "assistant", "content": "뭐"}],
    }


def test_the_system_text_of_a_conversation_goes_where_gemini_has_it():
    line = lines("messages", "gemini")[0]
    assert line["systemInstruction"] == {"role": "system", "parts": [{"text": "짧게 답합니다."}]}
    assert [content["role"] for content in line["contents"]] == ["user", "model", "user", "model"]


def test_a_system_text_is_given_to_conversations_that_have_none():
    assert lines("messages", "openai", system="길게 답합니다.")[0]["messages"] == ROWS["messages"]["messages"]
    first = lines("instruction", "openai", system="길게 답합니다.")[0]["messages"][0]
    assert first == {"role": "system", "content": "길게 답합니다."}


def test_koalpaca_has_an_input_only_where_there_is_one_and_keeps_the_url():
    row = {"instruction": "인사말은?", "output": "안녕", "url": "kin/1"}
    export_data(write([row]), Path("out.jsonl"), "koalpaca")
    assert (
        Path("out.jsonl").read_text(encoding="utf-8")
        == dump_line({"instruction": "인사말은?", "output": "안녕", "url": "kin/1"}) + "\n"
    )
    assert list(read_export(Path("out.jsonl"), "koalpaca")) == [{**row, "input": ""}]


def test_alpaca_is_an_array_where_the_name_says_so():
    export_data(write(ten("instruction")), Path("out.json.gz"), "alpaca")
    array = json.loads(gzip.decompress(Path("out.json.gz").read_bytes()))
    assert array == [ROWS["instruction"]] * 10
    assert list(read_export(Path("out.json.gz"), "alpaca")) == ten("instruction")


def test_a_line_stays_one_for_readers_that_split_at_every_line_break_of_unicode():
    line = dump_line({"output": "하나\x85둘\u2028셋\u2029넷\x0b다섯\r\n여섯\x1c"})
    assert line.splitlines() == [line]


# --- the providers' own types


@pytest.mark.parametrize("form", ["pairs", "instruction", "messages", "preference"])
def test_openai_s_own_types_take_each_message(form):
    own: TypeAdapter[Any] = TypeAdapter(ChatCompletionMessageParam)
    for line in lines(form, "openai", system="짧게"):
        messages = line.get("messages") or [
            *line["input"]["messages"],
            *line["preferred_output"],
            *line["non_preferred_output"],
        ]
        for message in messages:
            assert own.validate_python(message, strict=True)


@pytest.mark.parametrize("form", ["pairs", "instruction", "messages", "preference"])
def test_google_s_own_types_take_each_content(form):
    assert google.Content.model_config["extra"] == "forbid"
    for line in lines(form, "gemini", system="짧게"):
        system = line.get("systemInstruction") or line["system_instruction"]
        answers = [completion["completion"] for completion in line.get("completions", [])]
        for content in [system, *line["contents"], *answers]:
            own = google.Content.model_validate_json(json.dumps(content))
            assert [part.text for part in own.parts or []] == [part["text"] for part in content["parts"]]


# --- what comes back


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip() != "")
NAME = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ABOUT = st.fixed_dictionaries(
    {
        "id": NAME,
        "source": NAME,
        "where": NAME,
        "group": st.none() | NAME,
        "label": st.none() | NAME,
    }
)
NOISE = st.fixed_dictionaries({"copy": st.integers(0, 9), "profile": NAME, "strength": st.floats(0, 1), "seed": NAME})
SYSTEM = st.lists(st.fixed_dictionaries({"role": st.just("system"), "content": TEXT}), max_size=1)
TURNS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3)


@st.composite
def conversations(draw) -> list[dict[str, str]]:
    turns = draw(SYSTEM)
    for asked, answer in draw(TURNS):
        turns += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    return turns


@st.composite
def preferences(draw: Any) -> dict[str, Any]:
    chosen = draw(TEXT)
    rejected = draw(TEXT.filter(lambda text: normalize("NFC", text) != normalize("NFC", chosen)))
    if draw(st.booleans()):
        prompt, input = [*draw(conversations()), {"role": "user", "content": draw(TEXT)}], ""
    else:
        prompt, input = draw(TEXT), draw(st.text())
    return {"prompt": prompt, "input": input, "chosen": chosen, "rejected": rejected}


FIELDS = {
    "pairs": st.fixed_dictionaries({"noisy": TEXT, "clean": TEXT}),
    "instruction": st.fixed_dictionaries({"instruction": TEXT, "input": st.text(), "output": TEXT}),
    "messages": st.fixed_dictionaries({"messages": conversations()}),
    "preference": preferences(),
}


def prepared(form: str, rows: list[dict[str, Any]], folder: Path) -> Path:
    """Write rows as `hanpuri prepare` does."""
    names = {"copy": pyarrow.int64(), "strength": pyarrow.float64()}
    message = pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())])
    names["messages"] = names["prompt"] = pyarrow.list_(message)
    schema = pyarrow.schema([(name, names.get(name, pyarrow.string())) for name in rows[0]])
    written = [cells(row, form) for row in rows]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(written, schema), folder / "validation.parquet")
    return folder


@pytest.mark.parametrize(("form", "format"), CARRIED)
def test_every_prepared_row_comes_back_as_it_was(form, format, tmp_path):
    noise = NOISE if form == "pairs" else st.just({})
    joined = st.builds(lambda about, fields, more: {**about, **fields, **more}, ABOUT, FIELDS[form], noise)

    @settings(max_examples=15)
    @given(rows=st.lists(joined, min_size=1, max_size=4), system=st.none() | TEXT, packed=st.booleans())
    def holds(rows, system, packed):
        is_chat = format not in ("alpaca", "koalpaca")
        out = tmp_path / ("out.jsonl.gz" if packed else "out.jsonl")
        source = prepared(form, rows, tmp_path)
        exported = export_data(source, out, format, split="validation", system=system if is_chat else None)
        assert list(read_export(out, format)) == rows
        assert (exported.num_rows, exported.form) == (len(rows), form)

    holds()


@pytest.mark.parametrize(("form", "format"), CARRIED)
@example(text="첫 줄\r\n둘째 줄\n\n\n 넷째 \t", other="\ufeff값")
@example(text="e\u0301 👩\u200d👩\u200d👧 \u2028\u2029\x85\x0b\x1c\x00끝", other="ㅋ")
@example(text='{"role": "user"}\\n"', other="\U0010ffff")
@given(text=TEXT, other=TEXT)
@settings(max_examples=25)
def test_every_text_comes_back_out_of_its_line(form, format, text, other):
    fields: dict[str, Any] = {
        "pairs": {"noisy": text, "clean": other},
        "instruction": {"instruction": text, "input": other, "output": text},
        "messages": {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": other}]},
        "preference": {"prompt": text, "input": other, "chosen": f"{text}?", "rejected": text},
    }[form]
    line, note = to_line(fields, form, format, Wording(system=other, instruction=text))
    text_line = dump_line(line)
    assert faults_of(SCHEMAS[format][form], text_line) == []
    assert from_line(json.loads(text_line), format, note) == fields


def test_other_columns_of_a_table_come_back_too():
    for encoding in ("cp949", "utf-8-sig"):
        Path("pairs.csv").write_text('id,별점,noisy,clean\r\n1,,"념뭄,",너무\r\n', encoding=encoding)
        export_data(Path("pairs.csv"), Path("out.jsonl"), "alpaca")
        assert list(read_export(Path("out.jsonl"), "alpaca")) == [
            {"id": "1", "별점": "", "noisy": "념뭄,", "clean": "너무"}
        ]


@pytest.mark.parametrize(
    ("form", "format", "expected"),
    [
        # without the file beside it, a line is read as what it says
        (
            "pairs",
            "alpaca",
            {"instruction": restoration_instruction(), "input": "뱡뮤니 않 닷혀욧", "output": "방문이 안 닫혀요"},
        ),
        ("messages", "gemini", ROWS["messages"]),
        ("preference", "openai", ROWS["preference"]),
        ("preference", "gemini", ROWS["preference"]),
        (
            "instruction",
            "messages",
            {
                "messages": [
                    {"role": "user", "content": "한 단어로 요약하세요\n\n문이 자꾸 열려요"},
                    {"role": "assistant", "content": "고장"},
                ]
            },
        ),
    ],
)
def test_an_export_from_elsewhere_is_read_as_it_stands(form, format, expected):
    lines(form, format)
    Path("out.jsonl.rows.jsonl").unlink()
    assert list(read_export(Path("out.jsonl"), format)) == [expected] * 10


@pytest.mark.parametrize("format", ["openai", "gemini", "messages"])
def test_a_preference_about_a_conversation_stands_in_every_format_that_has_preferences(format):
    sides = {"input": "", "chosen": "네.", "rejected": "아니요."}
    written = [
        {"prompt": ROWS["messages"]["messages"][:-1], **sides},
        # with the prompt before both answers, as TRL may have it
        {"prompt": "몇 시?", **{side: conversation("몇 시?", sides[side]) for side in ("chosen", "rejected")}},
    ]
    source = write([dict(row) for row in written for _ in range(5)])
    export_data(source, Path("out.jsonl"), format)
    Path("out.jsonl.rows.jsonl").unlink()
    expected = [{"prompt": written[0]["prompt"], **sides}] * 5 + [{"prompt": "몇 시?", **sides}] * 5
    assert list(read_export(Path("out.jsonl"), format)) == expected


def test_a_rejected_answer_of_nothing_stands_in_lines_for_trl_alone():
    rows = [{**ROWS["preference"], "rejected": ""}] * 10
    export_data(write(rows), Path("out.jsonl"), "messages")
    assert list(read_export(Path("out.jsonl"), "messages")) == rows
    assert told_of([rows[0]], "openai").startswith(
        "rows.jsonl: found 1 row that openai does not take: rows.jsonl:1: "
        "non_preferred_output.0.content: found no text, expected some;"
    )
    assert told_of([rows[0]], "gemini").startswith(
        "rows.jsonl: found 1 row that gemini does not take: rows.jsonl:1: "
        "completions.1.completion.parts.0.text: found no text, expected some;"
    )


def conversation(asked: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]


def test_the_other_columns_can_lie_elsewhere():
    export_data(write(ten("pairs")), Path("out.jsonl"), "alpaca", rows_path=Path("ids.jsonl"))
    assert not Path("out.jsonl.rows.jsonl").exists()
    assert list(read_export(Path("out.jsonl"), "alpaca", Path("ids.jsonl"))) == ten("pairs")


def test_the_same_rows_give_the_same_bytes():
    source = write(ten("messages"))
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        export_data(source, Path(name), "gemini")
    assert Path("a.jsonl.gz").read_bytes() == Path("b.jsonl.gz").read_bytes()


# --- what is refused on reading


def test_a_line_that_was_changed_is_not_joined_with_its_row():
    lines("pairs", "alpaca")
    data = Path("out.jsonl").read_text(encoding="utf-8")
    rows = Path("out.jsonl.rows.jsonl").read_text(encoding="utf-8")
    read = lambda: list(read_export(Path("out.jsonl"), "alpaca"))  # noqa: E731
    Path("out.jsonl").write_text(data.replace("닫혀요", "열려요"), encoding="utf-8")
    assert told(read) == (
        "out.jsonl:1: found another line than the one that was written with its row in out.jsonl.rows.jsonl;"
        " export anew, or move the rows file away to read the lines as they stand"
    )
    Path("out.jsonl").write_text(data + data, encoding="utf-8")
    assert told(read) == (
        "out.jsonl:11: found no row for it in out.jsonl.rows.jsonl; export anew: the two files belong together"
    )
    Path("out.jsonl").write_text(data.partition("\n")[0], encoding="utf-8")
    assert told(read) == (
        "out.jsonl: found fewer lines than out.jsonl.rows.jsonl has rows; export anew: lines are missing"
    )
    Path("out.jsonl").write_text(data, encoding="utf-8")
    Path("out.jsonl.rows.jsonl").write_text(rows.replace('"row"', '"rows"'), encoding="utf-8")
    assert "found no row for it" in told(read)


@pytest.mark.parametrize(
    ("line", "format", "expected"),
    [
        (
            '{"instruction": "가"}',
            "alpaca",
            "a.jsonl:1: found no line of alpaca: input: found nothing, expected it, output: found nothing, expected it;"
            " name the format that the file is in, or export it anew",
        ),
        (
            '{"instruction": ',
            "alpaca",
            "a.jsonl:1: found no line of alpaca: found a line that is no JSON (Expecting value at column 17),"
            " expected an object; name the format that the file is in, or export it anew",
        ),
    ],
)
def test_what_is_no_line_of_the_format_is_refused(line, format, expected):
    Path("a.jsonl").write_text(f"{line}\n", encoding="utf-8")
    assert told(lambda: list(read_export(Path("a.jsonl"), format))) == expected


def test_an_element_that_is_no_line_of_the_format_is_refused():
    Path("a.json").write_text("[1]", encoding="utf-8")
    assert told(lambda: list(read_export(Path("a.json"), "alpaca"))) == (
        "a.json:1: found no line of alpaca: found a number, expected an object;"
        " name the format that the file is in, or export it anew"
    )


# --- what is refused on writing


@pytest.mark.parametrize(("form", "format"), REFUSED)
def test_a_form_that_the_format_cannot_carry_is_refused(form, format):
    rows = [{"text": "문이 열려요"}] if form == "text" else [ROWS[form]]
    takes = ", ".join(SCHEMAS[format])
    mend = "make pairs of them: `augment` in a prepare recipe"
    if form != "text":
        mend = "write them as openai or gemini or messages"
    assert told_of(rows, format) == f"rows.jsonl: found rows of {form}, {format} takes {takes}; {mend}"


def turns(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in pairs]}


TURNS_BEFORE = [{"role": "system", "content": "짧게"}, {"role": "user", "content": "가"}]
ASKED, ANSWERED = ("user", "몇 시?"), ("assistant", "아홉 시")


@pytest.mark.parametrize(
    ("row", "format", "expected"),
    [
        # an empty text, or one of blanks
        ({"noisy": "가", "clean": ""}, "alpaca", "clean: found no text, expected some"),
        ({"noisy": " \n", "clean": "가"}, "openai", "noisy: found no text, expected some"),
        # all faults of a row
        (
            {"prompt": None, "chosen": 3, "rejected": ["가"]},
            "openai",
            "prompt: found null, expected text, chosen: found a number, expected text,"
            " rejected: found a list, expected text",
        ),
        # answers that say nothing on which is better; an input that has no place in a conversation
        (
            {"prompt": "가", "chosen": "각", "rejected": "\u1100\u1161\u11a8"},
            "openai",
            "found the same text in chosen and rejected, expected two answers",
        ),
        (
            {"prompt": TURNS_BEFORE, "input": "나", "chosen": "다", "rejected": "라"},
            "openai",
            'found an input in "input" beside a conversation, expected messages alone',
        ),
        # half a surrogate pair
        (
            {"noisy": "가\ud83d", "clean": "가"},
            "gemini",
            "noisy: found half a surrogate pair, expected whole characters",
        ),
        # a field that only some rows have
        ({"noisy": "가"}, "messages", "clean: found nothing, expected it"),
        # other columns
        (
            {"noisy": "가", "clean": "가", "n": float("nan")},
            "alpaca",
            "n: found what JSON cannot hold",
        ),
    ],
)
def test_a_faulty_row_is_refused_with_its_id(row, format, expected):
    first = {"id": "a", **({"prompt": "가", "chosen": "나", "rejected": "다"} if "prompt" in row else ROWS["pairs"])}
    assert told_of([first, {"id": "b7", **row}], format) == (
        f"rows.jsonl: found 1 row that {format} does not take: rows.jsonl:2 (id b7): {expected};"
        " mend them or leave them out"
    )


@pytest.mark.parametrize(
    ("row", "format", "expected"),
    [
        (turns(ASKED), "openai", "messages: found the last message from user, expected it from assistant"),
        (turns(ANSWERED), "openai", "messages: found no message from user, expected one at least"),
        ({"messages": []}, "openai", "messages: found no message, expected it from assistant"),
        (
            turns(ASKED, ("system", "짧게"), ANSWERED),
            "messages",
            "messages: found message 1 from system, expected that only first",
        ),
        (
            turns(ASKED, ("tool", "9"), ANSWERED),
            "openai",
            "messages.1.role: found 'tool', expected 'system', 'user' or 'assistant'",
        ),
        (turns(ASKED, ("assistant", "")), "openai", "messages.1.content: found no text, expected some"),
        (
            {"messages": [{"role": "user", "content": "가", "name": "나"}, {"role": "assistant", "content": "다"}]},
            "openai",
            "messages.0.name: found a key that the format does not know",
        ),
        ({"messages": "안녕"}, "openai", "messages: found a string, expected a list"),
        ({"messages": ["안녕"]}, "openai", "messages.0: found a string, expected an object"),
        # Gemini is stricter: user and model by turns
        (
            turns(ASKED, ASKED, ANSWERED),
            "gemini",
            "contents: found message 1 from user, expected user and model by turns",
        ),
        (
            turns(ANSWERED, ASKED, ANSWERED),
            "gemini",
            "contents: found message 0 from model, expected user and model by turns",
        ),
        (turns(ASKED), "gemini", "contents: found the last message from user, expected it from model"),
        (
            turns(ASKED, ("system", "짧게"), ANSWERED),
            "gemini",
            "contents.1.role: found 'system', expected 'user' or 'model'",
        ),
    ],
)
def test_a_conversation_that_the_provider_would_refuse_is_refused(row, format, expected):
    assert told_of([row], format) == (
        f"rows.jsonl: found 1 row that {format} does not take: rows.jsonl:1: {expected}; mend them or leave them out"
    )


def test_openai_takes_two_messages_of_a_user_in_a_row():
    row = turns(ASKED, ASKED, ANSWERED)
    assert export_data(write([row] * 10), Path("out.jsonl"), "openai").num_rows == 10


def test_all_faults_of_a_file_are_told_at_once():
    Path("rows.jsonl").write_text(
        '{"noisy": "가", "clean": "가"}\n{"noisy": "가"}\n{"noisy"\n{"noisy": "가", "clean": " "}\n', encoding="utf-8"
    )
    assert told(lambda: export_data(Path("rows.jsonl"), Path("out.jsonl"), "alpaca")) == (
        "rows.jsonl: found 3 rows that alpaca does not take:"
        " rows.jsonl:2: clean: found nothing, expected it;"
        " rows.jsonl:3: found a line that is no JSON (Expecting ':' delimiter at column 9), expected an object;"
        " rows.jsonl:4: clean: found no text, expected some;"
        " mend them or leave them out"
    )


def test_of_very_many_faults_the_first_are_told_and_all_are_counted():
    message = told_of([ROWS["pairs"], *[{"noisy": "가"}] * 2345], "alpaca")
    assert message.startswith("rows.jsonl: found 2,345 rows that alpaca does not take: rows.jsonl:2: clean:")
    assert message.endswith(
        "rows.jsonl:21: clean: found nothing, expected it; and 2,325 more; mend them or leave them out"
    )


def test_a_value_of_parquet_that_json_cannot_hold_is_refused():
    table = pyarrow.table({"noisy": ["가"], "clean": ["가"], "day": [date(2026, 1, 2)]})
    pyarrow.parquet.write_table(table, "rows.parquet")
    assert told(lambda: export_data(Path("rows.parquet"), Path("out.jsonl"), "alpaca")) == (
        "rows.parquet: found 1 row that alpaca does not take: rows.parquet:1: day: found what JSON cannot hold;"
        " mend them or leave them out"
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # what the provider has published
        ({"format": "openai"}, "rows.jsonl: found 9 rows, openai takes 10 or more; add rows"),
        # what the caller has said
        (
            {"format": "alpaca", "max_bytes": 500, "instruction": "고치세요"},
            "rows.jsonl: found 945 bytes as alpaca, expected 500 at most;"
            " export fewer rows, or say --limit-bytes if more is taken by now",
        ),
        # words where there is no place for them
        (
            {"format": "koalpaca", "system": "짧게"},
            "found --system, but koalpaca has no place for it; leave it out, or say it in --instruction",
        ),
        (
            {"format": "openai", "system": " "},
            "found no sound text in --system, expected some; write one, or leave the option out",
        ),
        (
            {"format": "openai", "split": "train"},
            "rows.jsonl: found a file, expected the folder of a prepared set to take the split train from;"
            " leave out --split",
        ),
        # names
        (
            {"format": "openai", "out": Path("out.json")},
            "out.json: found no suffix of a file for openai, expected .jsonl; call it out.jsonl",
        ),
        (
            {"format": "openai", "out": Path("rows.jsonl")},
            "rows.jsonl: found one place for two files, expected a place each; name another file",
        ),
        (
            {"format": "openai", "rows_path": Path("./out.jsonl")},
            "out.jsonl: found one place for two files, expected a place each; name another file",
        ),
        (
            {"format": "alpaca", "out": Path("none/out.json")},
            "none/out.json: found no folder none, expected one to write into; make it: mkdir -p none",
        ),
    ],
)
def test_what_cannot_be_is_refused(options, expected):
    path = write(ten("pairs")[:9])
    assert told(lambda: export_data(path, **{"out": Path("out.jsonl"), **options})) == expected


def test_a_disk_that_is_full_is_told_of_with_the_file_that_did_not_fit():
    path = write(ten("pairs"))
    assert told(lambda: export_data(path, Path("out.jsonl"), "openai", rows_path=Path("/dev/full"))) == (
        "/dev/full: cannot be written to its end (No space left on device); make room, or write elsewhere"
    )


def test_only_pairs_are_asked_for_in_words_of_ours():
    assert told_of(ten("instruction"), "openai", instruction="고치세요") == (
        "rows.jsonl: found --instruction with rows of instruction, expected pairs;"
        " leave it out: only pairs have no words of their own"
    )


def test_the_limits_of_a_validation_file_are_its_own(tmp_path):
    prepared("pairs", ten("pairs")[:2], tmp_path)
    assert export_data(tmp_path, Path("out.jsonl"), "openai", split="validation").num_rows == 2
    (tmp_path / "validation.parquet").rename(tmp_path / "train.parquet")
    assert told(lambda: export_data(tmp_path, Path("out.jsonl"), "openai")) == (
        f"{tmp_path}/train.parquet: found 2 rows, openai takes 10 or more; add rows"
    )
    assert LIMITS["gemini"].max_validation_rows == 5000


def test_more_validation_rows_than_gemini_takes_are_refused(tmp_path):
    prepared("pairs", [ROWS["pairs"]] * 5001, tmp_path)
    assert told(lambda: export_data(tmp_path, Path("out.jsonl"), "gemini", split="validation")) == (
        f"{tmp_path}/validation.parquet: found 5,001 rows, gemini takes 5,000 at most; export fewer rows"
    )


def test_lines_that_may_have_too_many_tokens_are_counted():
    rows = [ROWS["pairs"], {"noisy": "가" * 50_000, "clean": "가" * 50_000}]
    assert export_data(write(rows), Path("out.jsonl"), "gemini").num_long == 1


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            "noisy,clen",
            'rename "clen" to "clean", or let `hanpuri prepare` map it',
        ),
        ("question,answer", "name the columns so, or let `hanpuri prepare` map them"),
    ],
)
def test_columns_of_no_form_are_refused(columns, expected):
    Path("rows.csv").write_text(f"{columns}\n가,나\n", encoding="utf-8")
    assert told(lambda: export_data(Path("rows.csv"), Path("out.jsonl"), "alpaca")) == (
        f"rows.csv: found the columns {', '.join(columns.split(','))}, expected those of a form: noisy/clean,"
        f" instruction/output, messages or prompt/chosen/rejected; {expected}"
    )


def test_a_folder_or_file_without_rows_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "set").mkdir()
    prepared("pairs", ten("pairs"), tmp_path / "set")
    Path("blank.jsonl").write_text("\n", encoding="utf-8")
    Path("notes.txt").write_text("가\n", encoding="utf-8")
    Path("twice.csv").write_text("noisy,clean,clean\n가,나,다\n", encoding="utf-8")
    export = lambda path, split=None: told(lambda: export_data(Path(path), Path("o.jsonl"), "openai", split=split))  # noqa: E731
    assert export("empty") == (
        "empty: found no train.parquet, expected the folder of a prepared set;"
        " make one with `hanpuri prepare`, or name a file"
    )
    assert export("set", "validatoin") == (
        'set: found no split "validatoin", expected one of validation; did you mean --split validation?'
    )
    assert (
        export("set")
        == 'set: found no split "train", expected one of validation; name another with --split: validation'
    )
    assert export("blank.jsonl") == "blank.jsonl: found no row, expected one at least; give a file that holds rows"
    assert export("notes.txt") == (
        "notes.txt: found no table, expected .jsonl, .json, .csv, .tsv, .parquet or the folder of a prepared set;"
        " make one with `hanpuri prepare`"
    )
    assert export("twice.csv") == (
        'twice.csv: found two columns named "clean", expected one; give each column a name of its own'
    )
    assert export("pears.jsonl").startswith("pears.jsonl: found no such file; ")


def test_the_file_that_was_there_stays_if_a_row_is_faulty():
    Path("out.jsonl").write_text("before", encoding="utf-8")
    assert "found 1 row that" in told_of([{"noisy": "가", "clean": ""}], "alpaca")
    export_data(write([ROWS["pairs"]]), Path("out.jsonl"), "alpaca")
    assert Path("out.jsonl").read_text(encoding="utf-8") != "before"


def test_an_unknown_format_is_refused_with_the_nearest():
    assert told(lambda: check_export_format("chat")) == (
        'found the format "chat", expected one of openai, gemini, alpaca, messages, koalpaca; write one of these'
    )
    assert told(lambda: check_export_format("koalpacca")).endswith("; did you mean koalpaca?")
