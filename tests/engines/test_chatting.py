"""
`hanpuri chat`: conversations with any engine, and a session on a real terminal.

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
from contextlib import suppress

import pytest

from hanpuri.cli import chatting
from hanpuri.cli.chatting import Conversation, obey, run
from hanpuri.cli.choosing import Choice, choose
from hanpuri.engines.base import Answer, Decoding
from hanpuri.engines.echo import EchoEngine
from hanpuri.engines.transformers import TransformersEngine
from hanpuri.errors import DataError, RecipeError

SHORT = Decoding(max_new_tokens=60, batch_size=2)
TURN = re.compile(r"\d+ tokens, \d+\.\d s\n")


def read_rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def engine(taught):
    return TransformersEngine.load(str(taught("chat")), device="cpu")


@pytest.fixture
def talk(engine):
    engine.prompting = engine.prompting.with_system("")
    return Conversation(engine, SHORT)


def test_a_turn_tells_its_tokens_and_its_time(talk, capsys):
    talk.ask("주차장이 있나요?")
    assert TURN.fullmatch(capsys.readouterr().err)


def test_a_turn_tells_no_tokens_where_the_server_tells_none(capsys, monkeypatch):
    monkeypatch.setattr(EchoEngine, "stream", lambda _, row, on_text, *__, **___: Answer("네", 0, finished=True))
    Conversation(EchoEngine(), SHORT).ask("안녕")
    assert capsys.readouterr().err == "0.0 s\n"


def test_lines_from_a_pipe_are_the_turns_of_one_conversation(taught, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("주차장이 있나요?\n\n얼마인가요?\n/reset\n얼마인가요?\n"))
    run(Choice(model=str(taught("chat")), device="cpu"), SHORT)
    assert capsys.readouterr().out == "네, 두 대까지 됩니다.\n주차는 무료입니다.\n무엇이 얼마인지 알려 주세요.\n"


def test_a_reader_who_leaves_ends_the_conversation_quietly():
    said = [sys.executable, "-m", "hanpuri", "chat", "echo"]
    with subprocess.Popen(said, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as talk:
        talk.stdin.write("안녕\n".encode())
        talk.stdin.flush()
        assert talk.stdout.readline() == "안녕\n".encode()
        talk.stdout.close()
        with suppress(BrokenPipeError):
            talk.stdin.write("또\n".encode())
            talk.stdin.close()
        told = talk.stderr.read().decode()
    assert (talk.returncode, told) == (0, "2 tokens, 0.0 s\n")


def test_an_engine_without_turns_answers_each_question_alone(capsys):
    talk = Conversation(EchoEngine(), SHORT)
    talk.ask("가?")
    talk.ask("나?")
    assert capsys.readouterr().out == "가?\n나?\n"
    assert [len(messages) for messages in talk.rows()] == [2, 2]


def test_an_engine_that_takes_no_system_text_says_so():
    with pytest.raises(DataError) as error:
        obey(Conversation(EchoEngine(), SHORT), "/system 짧게")
    assert str(error.value) == "echo takes no text before a question; leave it out"


def test_a_model_that_is_given_twice_is_refused():
    with pytest.raises(RecipeError) as error:
        choose("runs/a", None, "runs/b")
    assert str(error.value) == "two models were given: runs/a and runs/b; leave one of them out"


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
    assert TURN.sub("", capsys.readouterr().err) == (
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
    assert TURN.sub("", capsys.readouterr().err) == "cut at 2 tokens, --max-new-tokens allows more\n"


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
        "run(Choice(model=sys.argv[1], device='cpu'), Decoding(max_new_tokens=60))"
    )
    terminal = Terminal([sys.executable, "-c", program, str(taught("chat"))], tmp_path)
    name = f"transformers:{taught('chat')}"
    assert terminal.read_until("> ") == f"{name}, template chat. /help lists commands, ctrl-D leaves.\n> "
    terminal.type("주차장이 있나요?\n")
    assert "\n네, 두 대까지 됩니다.\n\033[2m" in terminal.read_until("s\033[0m\r\n> ")
    terminal.type("얼마인가요?\n")
    assert "\n주차는 무료입니다.\n\033[2m" in terminal.read_until("s\033[0m\r\n> ")
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
