"""
`hanpuri ask`: every way to ask and to be answered, by any engine, and what is said about wrong ones.

The models are those that learnt a few answers by heart; so this stands beside them.
"""

import io
import json
import re
import sys
from contextlib import contextmanager

import pytest

from hanpuri.cli import asking
from hanpuri.cli.asking import Given, run
from hanpuri.cli.choosing import Choice
from hanpuri.engines import cache
from hanpuri.engines.base import Answer, Decoding
from hanpuri.engines.echo import EchoEngine
from hanpuri.engines.transformers import TransformersEngine
from hanpuri.errors import DataError, EngineError, HanpuriError

SHORT = Decoding(max_new_tokens=60, batch_size=2)


@pytest.fixture
def ask(taught, capsys, tmp_path, monkeypatch):
    """Call the command in the test's folder: what it prints to standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def call(model="koalpaca", stdin="", decoding=SHORT, **given):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        settings = {key: given.pop(key) for key in ("template", "system", "engine") if key in given}
        model = None if "engine" in settings else str(taught(model))
        run(Choice(model=model, device="cpu", **settings), Given(**given), decoding)
        return capsys.readouterr()

    return call


def write_rows(path, questions, **more):
    lines = [json.dumps({"id": number, "q": q, **more}, ensure_ascii=False) for number, q in enumerate(questions, 1)]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_questions_given_as_arguments_are_answered_one_after_another(ask, learnt):
    assert ask(questions=tuple(learnt)).out == "".join(f"{answer}\n" for answer in learnt.values())


def test_json_tells_whether_the_model_ended_its_answer(ask, learnt):
    (question, answer), *_ = learnt.items()
    told = json.loads(ask(questions=(question,), json=True).out)
    assert told == {"question": question, "answer": answer, "num_tokens": told["num_tokens"], "finished": True}
    told = json.loads(ask(questions=(question,), json=True, decoding=Decoding(max_new_tokens=3)).out)
    assert (told["num_tokens"], told["finished"]) == (3, False)


def test_each_line_of_a_pipe_is_a_question(ask, learnt):
    questions = list(learnt)[:3]
    answers = [learnt[question] for question in questions]
    out = ask(stdin="\n".join([questions[0], "", *questions[1:]])).out
    assert out == "".join(f"{answer}\n" for answer in [answers[0], "", *answers[1:]])


def test_a_csv_keeps_its_columns_and_gets_one_more(ask, learnt, tmp_path):
    question, answer = next(iter(learnt.items()))
    (tmp_path / "in.csv").write_text(f"id,q\n7,{question}\n8,\n", encoding="utf-8")
    assert ask(file="in.csv", field="q", out="out.csv") == ("", "")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == f"id,q,answer\n7,{question},{answer}\n8,,\n"


def test_a_row_may_bring_what_it_is_asked_about(ask, tmp_path, monkeypatch):
    write_rows(tmp_path / "in.jsonl", ["주차장이 있나요?"], input="건물 뒤")
    asked = []
    generate = TransformersEngine.generate
    monkeypatch.setattr(
        TransformersEngine,
        "generate",
        lambda self, rows, *more, **names: asked.extend(rows) or generate(self, rows, *more, **names),
    )
    ask(file="in.jsonl", field="q")
    assert asked == [{"instruction": "주차장이 있나요?", "input": "건물 뒤"}]


def test_a_call_that_was_stopped_goes_on_where_it_stopped(ask, learnt, tmp_path, monkeypatch, capsys):
    questions = [*learnt, *list(learnt)[::-1], ""]
    write_rows(tmp_path / "in.jsonl", questions)
    monkeypatch.setattr(cache, "AHEAD", 1)
    generate, asked = TransformersEngine.generate, []

    def stop(self, rows, *more, **names):
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(rows)
        return generate(self, rows, *more, **names)

    with monkeypatch.context() as context:
        context.setattr(TransformersEngine, "generate", stop)
        with pytest.raises(KeyboardInterrupt):
            ask(file="in.jsonl", field="q", out="out.jsonl")
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
        ask(file="in.jsonl", field="q", out="out.jsonl")
    assert [row["answer"] for row in read_rows(tmp_path / "out.jsonl")] == [learnt.get(q, "") for q in questions]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_answers_that_the_output_cannot_hold_are_kept_and_those_of_other_settings_are_not_taken(
    ask, learnt, tmp_path, capsys
):
    (tmp_path / "in.txt").write_text("\n".join(learnt) + "\n", encoding="utf-8")
    with pytest.raises(DataError) as error:
        ask(file="in.txt", out="out.txt")
    assert str(error.value) == (
        "in.txt:4: found a line end in the restored text, expected one line; "
        "name the output .csv or .jsonl, which can hold it"
    )
    assert len(read_rows(tmp_path / "out.txt.kept")) == 4
    capsys.readouterr()
    assert ask(file="in.txt", out="out.txt", decoding=Decoding(max_new_tokens=3)) == ("", "")
    cut = (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines()
    assert [len(answer) < len(learnt[question]) for question, answer in zip(learnt, cut, strict=True)] == [True] * 4
    assert not (tmp_path / "out.txt.kept").exists()


def test_all_rows_that_cannot_be_asked_are_named_before_any_is_answered(ask, tmp_path, monkeypatch):
    write_rows(tmp_path / "in.jsonl", ["네?", "네</s>", "네?", "바다 " * 100])
    monkeypatch.setattr(TransformersEngine, "generate", None)
    with pytest.raises(DataError) as error:
        ask(file="in.jsonl", field="q", out="out.jsonl")
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
        {"file": "in.jsonl", "field": "q", "out": "."},
        ".: found a folder, expected the name of a file to write; name a file in it",
    ),
    ({"questions": ("네?", " ")}, "a question is empty; write one, or leave it out"),
    (
        {"questions": ("<s>",)},
        "the question: found the special token <s> spelled out in the text, which is a sign to the model;"
        " take it out of the text",
    ),
]


@pytest.mark.parametrize(("given", "message"), WRONG)
def test_a_wrong_call_says_in_one_line_what_to_mend(ask, tmp_path, given, message):
    write_rows(tmp_path / "in.jsonl", ["네?"])
    with pytest.raises(HanpuriError) as error:
        ask(**given)
    assert str(error.value) == message


def test_the_restorer_answers_noisy_texts(ask, tmp_path):
    (tmp_path / "in.csv").write_text("id,review\n1,확잠실읾 념뭄 잙앙욤\n", encoding="utf-8")
    ask(engine="compact:base", file="in.csv", field="review", into="readable", out="out.csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == (
        "id,review,readable\n1,확잠실읾 념뭄 잙앙욤,화장실이 너무 작아요\n"
    )


def test_half_a_surrogate_pair_is_printed_as_its_escape(ask, tmp_path):
    (tmp_path / "in.jsonl").write_text(r'{"q": "\ud83d 네"}' + "\n", encoding="utf-8")
    told = ask(engine="echo", file="in.jsonl", field="q", json=True)
    assert json.loads(told.out)["answer"] == "\ud83d 네"
    ask(engine="echo", file="in.jsonl", field="q", out="out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))["answer"] == "\ud83d 네"


class FailingEngine(EchoEngine):
    """Echoes, but for some texts it has no answer."""

    def __init__(self, failing):
        super().__init__()
        self.failing, self.asked = failing, []

    def generate(self, rows, decoding, *, names=()):
        answers = super().generate(rows, decoding, names=names)
        self.asked += [answer.text for answer in answers]
        return [Answer.failed("the server is down") if one.text in self.failing else one for one in answers]


@pytest.fixture
def failing(ask, monkeypatch):
    """Ask an engine that has no answer to some texts; what it was asked."""

    def call(texts, **given):
        engine = FailingEngine(texts)
        with monkeypatch.context() as context:
            context.setattr(asking, "open_engine", contextmanager(lambda settings: (yield engine)))
            try:
                ask(engine="echo", **given)
            except EngineError as error:
                return engine.asked, str(error)
        return engine.asked, None

    return call


def test_a_row_without_an_answer_does_not_stop_the_others_and_is_asked_again(failing, tmp_path):
    write_rows(tmp_path / "in.jsonl", [f"글{number}" for number in range(1, 10)])
    given = {"file": "in.jsonl", "field": "q", "out": "out.jsonl"}

    asked, told = failing({"글3", "글9"}, **given)
    assert told == (
        "2 rows have no answer: in.jsonl:3: the server is down; in.jsonl:9: the server is down;"
        " the same command asks these again and no others"
    )
    answers = [row["answer"] for row in read_rows(tmp_path / "out.jsonl")]
    assert answers == ["글1", "글2", "", "글4", "글5", "글6", "글7", "글8", ""]
    assert len(asked) == 9

    asked, told = failing(set(), **given)
    assert (asked, told) == (["글3", "글9"], None)
    assert [row["answer"] for row in read_rows(tmp_path / "out.jsonl")] == [f"글{n}" for n in range(1, 10)]
    assert not (tmp_path / "out.jsonl.kept").exists()


def test_json_says_why_there_is_no_answer(ask, failing, capsys):
    _, told = failing({"안녕"}, questions=("안녕", "또"), json=True)
    assert told == "1 row has no answer: the question: the server is down; ask again"
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["answer"], first["failure"], second["answer"]) == (None, "the server is down", "또")


# what is chosen, what is said
CHOICES = [
    (
        Choice(),
        "no model was given; name a run, a model's folder or an engine: --model runs/faq,"
        " --engine openai:http://127.0.0.1:8000/v1",
    ),
    (
        Choice(engine="transformers:runs/a", model="runs/b"),
        "two models were given: transformers:runs/a and runs/b; leave one of them out",
    ),
    (
        Choice(engine="compact:base", aligned="arbnb"),
        "--aligned is 'arbnb'; write one of off, syllables, airbnb, hand; did you mean airbnb?",
    ),
]


@pytest.mark.parametrize(("choice", "message"), CHOICES)
def test_a_wrong_choice_says_in_one_line_what_to_mend(choice, message):
    with pytest.raises(HanpuriError) as error:
        choice.settings()
    assert str(error.value) == message


def test_an_option_goes_before_what_the_engine_says():
    settings = Choice(engine="transformers:runs/a,aligned=airbnb", aligned="hand", system="짧게").settings()
    assert (settings.model, settings.aligned, settings.system) == ("runs/a", "hand", "짧게")
