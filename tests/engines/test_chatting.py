"""
`hanpuri chat`: every way to ask and to be answered, what is said about wrong ones, and a session on a real terminal.

The models are those that learnt a few answers by heart; so this stands beside them.
"""

import io
import json
import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest

from hanpuri.cli import answering, chatting
from hanpuri.cli.chatting import Conversation, Given, obey, run
from hanpuri.engines.base import Decoding
from hanpuri.engines.transformers import TransformersEngine
from hanpuri.errors import DataError, HanpuriError

SHORT = Decoding(max_new_tokens=60, batch_size=2)


@pytest.fixture
def chat(taught, capsys, tmp_path, monkeypatch):
    """Call the command in the test's folder: what it prints to standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def call(model="koalpaca", stdin="", decoding=SHORT, **given):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        settings = {key: given.pop(key) for key in ("template", "system") if key in given}
        run(str(taught(model)), Given(**given), decoding, device="cpu", **settings)
        return capsys.readouterr()

    return call


def write_rows(path, questions, **more):
    lines = [json.dumps({"id": number, "q": q, **more}, ensure_ascii=False) for number, q in enumerate(questions, 1)]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_questions_given_as_arguments_are_answered_one_after_another(chat, learnt):
    assert chat(questions=tuple(learnt)).out == "".join(f"{answer}\n" for answer in learnt.values())


def test_json_tells_whether_the_model_ended_its_answer(chat, learnt):
    (question, answer), *_ = learnt.items()
    told = json.loads(chat(questions=(question,), json=True).out)
    assert told == {"question": question, "answer": answer, "num_tokens": told["num_tokens"], "finished": True}
    told = json.loads(chat(questions=(question,), json=True, decoding=Decoding(max_new_tokens=3)).out)
    assert (told["num_tokens"], told["finished"]) == (3, False)


def test_each_line_of_a_pipe_is_a_question(chat, learnt):
    questions = list(learnt)[:3]
    answers = [learnt[question] for question in questions]
    out = chat(stdin="\n".join([questions[0], "", *questions[1:]])).out
    assert out == "".join(f"{answer}\n" for answer in [answers[0], "", *answers[1:]])


def test_a_csv_keeps_its_columns_and_gets_one_more(chat, learnt, tmp_path):
    question, answer = next(iter(learnt.items()))
    (tmp_path / "in.csv").write_text(f"id,q\n7,{question}\n8,\n", encoding="utf-8")
    assert chat(file="in.csv", field="q", out="out.csv") == ("", "")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == f"id,q,answer\n7,{question},{answer}\n8,,\n"


def test_a_row_may_bring_what_it_is_asked_about(chat, tmp_path, monkeypatch):
    write_rows(tmp_path / "in.jsonl", ["주차장이 있나요?"], input="건물 뒤")
    asked = []
    generate = TransformersEngine.generate
    monkeypatch.setattr(
        TransformersEngine,
        "generate",
        lambda self, rows, *more, **names: asked.extend(rows) or generate(self, rows, *more, **names),
    )
    chat(file="in.jsonl", field="q")
    assert asked == [{"instruction": "주차장이 있나요?", "input": "건물 뒤"}]


def test_a_call_that_was_stopped_goes_on_where_it_stopped(chat, learnt, tmp_path, monkeypatch, capsys):
    questions = [*learnt, *list(learnt)[::-1], ""]
    write_rows(tmp_path / "in.jsonl", questions)
    monkeypatch.setattr(answering, "AHEAD", 1)
    generate, asked = TransformersEngine.generate, []

    def stop(self, rows, *more, **names):
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(rows)
        return generate(self, rows, *more, **names)

    with monkeypatch.context() as context:
        context.setattr(TransformersEngine, "generate", stop)
        with pytest.raises(KeyboardInterrupt):
            chat(file="in.jsonl", field="q", out="out.jsonl")
    assert capsys.readouterr().err == ("hanpuri: answers so far are in out.jsonl.kept: the same command goes on\n")
    assert not (tmp_path / "out.jsonl").exists()
    with (tmp_path / "out.jsonl.kept").open("a", encoding="utf-8") as file:
        file.write('{"key": "half of a li')

    assert (tmp_path / "out.jsonl.kept").read_bytes().count(b"\n") == 4

    def go_on(self, rows, *more, **names):
        assert not any(row in before for row in rows for before in asked)  # of those questions the answers are kept
        return generate(self, rows, *more, **names)

    with monkeypatch.context() as context:
        context.setattr(TransformersEngine, "generate", go_on)
        chat(file="in.jsonl", field="q", out="out.jsonl")
    assert [row["answer"] for row in read_rows(tmp_path / "out.jsonl")] == [learnt.get(q, "") for q in questions]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_answers_that_the_output_cannot_hold_are_kept_and_those_of_other_settings_are_not_taken(
    chat, learnt, tmp_path, capsys
):
    (tmp_path / "in.txt").write_text("\n".join(learnt) + "\n", encoding="utf-8")
    with pytest.raises(DataError) as error:
        chat(file="in.txt", out="out.txt")
    assert str(error.value) == (
        "in.txt:4: found a line end in the restored text, expected one line; "
        "name the output .csv or .jsonl, which can hold it"
    )
    assert len(read_rows(tmp_path / "out.txt.kept")) == 4
    capsys.readouterr()
    assert chat(file="in.txt", out="out.txt", decoding=Decoding(max_new_tokens=3)) == ("", "")
    cut = (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines()
    assert [len(answer) < len(learnt[question]) for question, answer in zip(learnt, cut, strict=True)] == [True] * 4
    assert not (tmp_path / "out.txt.kept").exists()


def test_all_rows_that_cannot_be_asked_are_named_before_any_is_answered(chat, tmp_path, monkeypatch):
    write_rows(tmp_path / "in.jsonl", ["네?", "네</s>", "네?", "바다 " * 100])
    monkeypatch.setattr(TransformersEngine, "generate", None)
    with pytest.raises(DataError) as error:
        chat(file="in.jsonl", field="q", out="out.jsonl")
    assert re.fullmatch(
        r"in\.jsonl:2: found the special token </s> spelled out in the text, which is a sign to the model; "
        r"in\.jsonl:4: found a prompt of 2\d\d tokens, expected under 192, the model's positions; "
        r"take it out of the text",
        str(error.value),
    )
    assert not (tmp_path / "out.jsonl").exists()


# what is given, what is said
WRONG = [
    (
        {"questions": ("네?",), "file": "in.jsonl"},
        "questions were given together with --file or --out; give either questions or files",
    ),
    ({"out": "out.jsonl"}, "--out needs --file; use > to keep what is printed"),
    (
        {"file": "in.jsonl", "out": "out.jsonl", "json": True},
        "--json writes to standard output; leave out --out, and use > to keep what it prints",
    ),
    (
        {"file": "in.jsonl", "format": "xml"},
        "--format is 'xml'; write one of text, txt, csv, tsv, jsonl, ndjson, parquet",
    ),
    (
        {"questions": ("네?",), "template": "koalpca"},
        "no template is called 'koalpca'; there are alpaca-en, alpaca-ko, koalpaca, plain, restoration-en, restoration,"
        " chat; did you mean koalpaca?",
    ),
    (
        {"questions": ("네?",), "template": "chat"},
        "the tokenizer taught-koalpaca has no chat template, expected one;"
        " take a template file, or the tokenizer of the instruction-tuned model",
    ),
    (
        {"questions": ("<s>",)},
        "the question: found the special token <s> spelled out in the text, which is a sign to the model;"
        " take it out of the text",
    ),
]


@pytest.mark.parametrize(("given", "message"), WRONG)
def test_a_wrong_call_says_in_one_line_what_to_mend(chat, tmp_path, given, message):
    write_rows(tmp_path / "in.jsonl", ["네?"])
    with pytest.raises(HanpuriError) as error:
        chat(**given)
    assert str(error.value) == message


@pytest.fixture(scope="module")
def engine(taught):
    return TransformersEngine.load(str(taught("chat")), device="cpu")


@pytest.fixture
def talk(engine):
    engine.prompting = engine.prompting.with_system("")
    return Conversation(engine, SHORT)


def test_a_conversation_remembers_and_forgets_when_told(talk, capsys):
    assert talk.ask("주차장이 있나요?") == "네, 두 대까지 됩니다."
    assert talk.ask("얼마인가요?") == "주차는 무료입니다."
    obey(talk, "/reset")
    assert talk.ask("얼마인가요?") == "무엇이 얼마인지 알려 주세요."
    assert capsys.readouterr().out == "네, 두 대까지 됩니다.\n주차는 무료입니다.\n무엇이 얼마인지 알려 주세요.\n"


def test_a_conversation_that_is_too_long_drops_its_oldest_turns_aloud(talk, capsys):
    talk.turns = [("바다가 보이나요? " * 3, "네, 잘 보입니다. " * 3), *[("주차장이 있나요?", "네, 두 대까지 됩니다.")]]
    assert talk.ask("얼마인가요?") == "주차는 무료입니다."
    assert len(talk.turns) == 2
    assert capsys.readouterr().err == (
        "the conversation is longer than the model's 192 positions: forgot its first turn\n"
    )


def test_an_answer_that_is_stopped_or_cut_is_told_apart_from_a_whole_one(talk, capsys, monkeypatch):
    heard = []

    def press_ctrl_c(piece):
        heard.append(piece)
        if len(heard) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(chatting, "say", press_ctrl_c)
        assert talk.ask("주차장이 있나요?") == "".join(heard) != ""
    assert talk.turns == [("주차장이 있나요?", "".join(heard))]
    assert capsys.readouterr().err == "stopped\n"
    talk.decoding = Decoding(max_new_tokens=2)
    talk.ask("주차장이 있나요?")
    assert capsys.readouterr().err == "cut at 2 tokens, --max-new-tokens allows more\n"


def test_a_conversation_is_saved_as_a_training_row(talk, tmp_path):
    obey(talk, "/system 짧게 답하세요.")
    talk.turns = [("가?", "네."), ("나?", "아니요.")]
    path = tmp_path / "talk.jsonl"
    obey(talk, f"/save {path}")
    obey(talk, f"/save {path}")
    roles = [
        ("system", "짧게 답하세요."),
        ("user", "가?"),
        ("assistant", "네."),
        ("user", "나?"),
        ("assistant", "아니요."),
    ]
    assert read_rows(path) == [{"messages": [{"role": role, "content": text} for role, text in roles]}] * 2


# line, what is said
COMMANDS = [
    ("/sav x", "there is no /sav; did you mean /save?"),
    ("/xyz", "there is no /xyz; see /help"),
    ("/save", "/save was given no file; write e.g. /save talk.jsonl"),
    ("/save no/such/talk.jsonl", "no/such/talk.jsonl cannot be written: No such file or directory; give another file"),
]


@pytest.mark.parametrize(("line", "message"), COMMANDS)
def test_a_wrong_command_says_what_to_mend(talk, line, message):
    with pytest.raises(DataError) as error:
        obey(talk, line)
    assert str(error.value) == message


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command, folder):
        master, slave = pty.openpty()
        environment = {**os.environ, "TERM": "dumb", "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, cwd=folder, env=environment, start_new_session=True
        )
        os.close(slave)
        self.master = master

    def read_until(self, text, seconds=120):
        """Read until a text has come."""
        read, end = b"", time.monotonic() + seconds
        while text.encode() not in read:
            assert time.monotonic() < end, read.decode("utf-8", "replace")
            if select.select([self.master], [], [], 1)[0]:
                read += os.read(self.master, 4096)
        return read.decode("utf-8", "replace").replace("\r\n", "\n")

    def type(self, text):
        os.write(self.master, text.encode())


def test_a_session_on_a_terminal(taught, tmp_path):
    program = (
        "import sys; from hanpuri.cli.chatting import *; "
        "run(sys.argv[1], Given(), Decoding(max_new_tokens=60), device='cpu')"
    )
    terminal = Terminal([sys.executable, "-c", program, str(taught("chat"))], tmp_path)
    assert terminal.read_until("> ") == "taught-chat, template chat. /help lists commands, ctrl-D leaves.\n> "
    terminal.type("주차장이 있나요?\n")
    assert "\n네, 두 대까지 됩니다.\n> " in terminal.read_until("됩니다.\r\n> ")
    terminal.type("얼마인가요?\n")
    assert "\n주차는 무료입니다.\n> " in terminal.read_until("무료입니다.\r\n> ")
    terminal.type("</s>\n/save talk.jsonl\n")
    assert "special token </s> spelled out" in terminal.read_until("/save talk.jsonl\r\n> ")
    terminal.type("아직 다 쓰지\x04")  # in the middle of a line ctrl-D is no end
    terminal.type("\x15\x04")
    assert terminal.process.wait(timeout=60) == 0
    os.close(terminal.master)
    assert [message["content"] for message in read_rows(tmp_path / "talk.jsonl")[0]["messages"]] == [
        *("주차장이 있나요?", "네, 두 대까지 됩니다."),
        *("얼마인가요?", "주차는 무료입니다."),
    ]
