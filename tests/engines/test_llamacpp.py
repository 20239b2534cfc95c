"""
llama.cpp for real: a tiny GGUF file, made here, served by its own server, driven end to end.

In: a model that has learnt four answers by heart, as a GGUF file with its tokenizer and template beside it. Out: the
same answers word for word, through the engine `llamacpp` and, as any server of others, through the engine `openai`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from hanpuri.engines import llamacpp
from hanpuri.engines.alignment import make_pattern
from hanpuri.engines.base import Decoding
from hanpuri.engines.llamacpp import LlamaCppEngine, LlamaCppProcess
from hanpuri.engines.opening import open_engine
from hanpuri.engines.settings import parse_engine
from hanpuri.engines.transformers import TransformersEngine
from hanpuri.errors import HanpuriError
from hanpuri.evaluation.evaluate import evaluate
from hanpuri.evaluation.rows import read_rows
from tests.engines.gguf_files import write_gguf

ONE_THREAD = "llamacpp.threads=1,llamacpp.context=192"


def ask(question):
    return {"instruction": question, "input": ""}


@pytest.fixture(scope="module")
def published(taught, tmp_path_factory):
    """A model's folder with a GGUF file in it, as `hanpuri publish --gguf` lays it out; each once."""
    made = {}

    def publish(template):
        if template not in made:
            folder = tmp_path_factory.mktemp("published") / template
            shutil.copytree(taught(template), folder)
            made[template] = write_gguf(folder, folder / "model-F32.gguf")
        return made[template]

    return publish


@pytest.fixture(scope="module")
def engine(published):
    with open_engine(parse_engine(f"llamacpp:{published('koalpaca')},{ONE_THREAD}")) as engine:
        yield engine


@pytest.fixture(scope="module")
def untrained(tiny_model, tmp_path_factory):
    """A model that knows nothing, in a file that came alone."""
    folder = tmp_path_factory.mktemp("untrained")
    return write_gguf(tiny_model("llama", "chatml"), folder / "model.gguf")


@pytest.fixture(scope="module")
def server(published):
    """llama.cpp's server as somebody else started it: its address."""
    process = LlamaCppProcess(published("koalpaca"), parse_engine(f"llamacpp:x,{ONE_THREAD}"))
    yield process.address
    process.close()


def post(address, path, **body):
    return httpx2.post(f"{address.removesuffix('/v1')}{path}", json=body, trust_env=False, timeout=30).json()


# The engine llamacpp.


def test_four_learnt_answers_come_back_word_for_word_as_from_transformers(engine, learnt, taught):
    rows = [ask(question) for question in learnt]
    answers = engine.generate(rows)
    assert [(answer.text, answer.finished) for answer in answers] == [(text, True) for text in learnt.values()]
    others = TransformersEngine.load(str(taught("koalpaca")), device="cpu").generate(rows)
    assert [answer.num_tokens for answer in answers] == [answer.num_tokens for answer in others]
    assert engine.prompt(rows[0], "row 1").startswith("### 질문: ")


def test_the_tokens_that_are_sent_are_those_that_llama_cpp_makes_of_the_prompt(engine, learnt):
    for question in [*learnt, "값을 매기면? (5점) 😀"]:
        sent = engine._way.body(ask(question), "row 1")["prompt"]
        told = post(
            engine._connection.address,
            "/tokenize",
            content=engine.prompt(ask(question), "row 1"),
            add_special=True,
            parse_special=True,
        )
        assert sent == told["tokens"]
        assert engine.count_tokens(ask(question)) == len(sent)


def test_an_answer_is_streamed_in_pieces_that_break_no_syllable(engine, learnt):
    for question, text in learnt.items():
        pieces = []
        assert engine.stream(ask(question), pieces.append).text == text == "".join(pieces)
        assert len(pieces) > 3
        assert not any("\ufffd" in piece for piece in pieces)


def test_a_cut_answer_is_a_beginning_without_a_broken_syllable(engine, learnt):
    question, text = list(learnt.items())[3]
    for length in range(1, 12):
        (answer,) = engine.generate([ask(question)], Decoding(max_new_tokens=length))
        assert text.startswith(answer.text)
        assert (answer.finished, answer.num_tokens) == (False, length)


def test_a_stop_ends_an_answer_and_is_no_part_of_it(engine):
    (answer,) = engine.generate([ask("주차장이 있나요?")], Decoding(stop=("뒤에", "두")))
    assert (answer.text, answer.finished) == ("네, 건물 ", True)


def test_drawing_is_that_of_the_settings(engine, learnt):
    question, text = next(iter(learnt.items()))
    hot = {"max_new_tokens": 24, "temperature": 3.0}
    drawn = [engine.generate([ask(question)], Decoding(**hot, seed=seed))[0].text for seed in (1, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1
    # from one token, or from next to no probability, the likeliest is drawn
    for narrow in ({"top_k": 1}, {"top_p": 1e-6}):
        (answer,) = engine.generate([ask(question)], Decoding(**hot, **narrow))
        assert text.startswith(answer.text)


def test_a_prompt_that_is_too_long_costs_its_row_alone(engine, learnt):
    question, text = next(iter(learnt.items()))
    long, learnt_one = engine.generate([ask("가" * 500), ask(question)])
    assert long.failure.startswith("the prompt is too long: ")
    assert long.failure.endswith(" tokens of 192 at most")
    assert learnt_one.text == text
    (longest,) = engine.generate([ask("가나다 " * 25)], Decoding(max_new_tokens=10_000))
    assert longest.num_prompt_tokens + longest.num_tokens <= 192


def test_nothing_of_llama_cpp_reaches_the_terminal(published, capfd):
    with open_engine(parse_engine(f"llamacpp:{published('koalpaca').parent},{ONE_THREAD}")) as engine:
        engine.generate([ask("주차장이 있나요?"), ask("가" * 500)])
    assert capfd.readouterr() == ("", "")


def test_noisy_text_is_restored_with_the_template_of_the_training(published):
    row = {"noisy": "뷰갸 녀뮤 좋핬써욘"}
    with open_engine(parse_engine(f"llamacpp:{published('restoration')},{ONE_THREAD},aligned=airbnb")) as engine:
        assert engine.generate([row])[0].text == "뷰가 너무 좋았어요"
        assert engine.prompting.question("뷰갸") == {"noisy": "뷰갸"}
        assert engine.note == ""


NOISY = ["확잠실읾 념뭄 잙앙욤!", "2층 뱡, 12,000원 (죠씩 퐇함)", '"쨰밌어요" 😀\n꺆', "♡", "힣"]


@pytest.mark.parametrize("aligned", ["syllables", "airbnb"])
def test_what_an_untrained_model_restores_has_the_length_and_the_spaces_of_its_text(untrained, aligned):
    with open_engine(parse_engine(f"llamacpp:{untrained},llamacpp.threads=1,aligned={aligned}")) as engine:
        answers = engine.generate([{"noisy": text} for text in NOISY])
        drawn = engine.generate([{"noisy": text} for text in NOISY], Decoding(temperature=2, seed=1))
    for text, answer in zip(NOISY * 2, [*answers, *drawn], strict=True):
        assert answer.finished, answer.failure
        assert make_pattern(text, aligned).matches(answer.text)
    assert [answer.text for answer in answers] != [answer.text for answer in drawn]


def test_a_file_that_came_alone_is_asked_through_its_own_chat_template(untrained):
    with open_engine(parse_engine(f"llamacpp:{untrained},llamacpp.threads=1,system=짧게.")) as engine:
        assert engine.note == "no tokenizer.json lies beside model.gguf: it is asked in its own chat template"
        assert json.loads(engine.prompt(ask("네?"), "row 1"))[0] == {"role": "system", "content": "짧게."}
        (answer,) = engine.generate([ask("네?")], Decoding(max_new_tokens=5))
        assert engine.prompting is None
        rendered = post(engine._connection.address, "/apply-template", messages=[{"role": "user", "content": "네?"}])
    assert answer.num_tokens == 5
    assert rendered["prompt"] == "<|im_start|>user\n네?<|im_end|>\n<|im_start|>assistant\n"


def test_other_weights_have_another_identity(published, engine):
    path = published("koalpaca")
    with open_engine(parse_engine(f"llamacpp:{path},{ONE_THREAD},template=plain")) as plain:
        assert plain.identity != engine.identity
    os.utime(path)
    again = LlamaCppEngine.load(parse_engine(f"llamacpp:{path},{ONE_THREAD}"))
    assert again.identity != engine.identity
    again.close()


# Files that are none.


@pytest.fixture
def files(tmp_path, published):
    whole = published("koalpaca").read_bytes()
    made = {
        "page.gguf": b"<html></html>",
        "empty.gguf": b"",
        "pointer.gguf": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "cut.gguf": whole[:700_000],
        "head.gguf": whole[:3000],
    }
    for name, content in made.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


NO_MODELS = [
    ("none.gguf", "{}/none.gguf cannot be read: No such file or directory; give the path of a GGUF file"),
    ("page.gguf", "{}/page.gguf: found no GGUF file, which begins with GGUF; convert it: hanpuri publish --gguf"),
    ("empty.gguf", "{}/empty.gguf: found no GGUF file, which begins with GGUF; convert it: hanpuri publish --gguf"),
    ("pointer.gguf", "{}/pointer.gguf: found a pointer of Git LFS in place of the file; fetch it: git lfs pull"),
    (
        "cut.gguf",
        "{}/cut.gguf: llama.cpp cannot load it: tensor 'blk.1.ffn_gate.weight' data is not within the file bounds,"
        " model is corrupted or incomplete; take another file, or less context",
    ),
    (
        "",
        "{}: found 5 GGUF files, expected one: cut.gguf, empty.gguf, head.gguf, page.gguf, pointer.gguf;"
        " give the path of the file",
    ),
]


@pytest.mark.parametrize(("name", "said"), NO_MODELS)
def test_a_file_that_is_no_model_costs_one_line(files, capfd, name, said):
    with pytest.raises(HanpuriError) as error, open_engine(parse_engine(f"llamacpp:{files / name}")):
        pass
    assert str(error.value) == said.format(files)
    assert capfd.readouterr() == ("", "")


def test_a_missing_library_is_named_with_what_installs_it(published, monkeypatch):
    monkeypatch.setattr(llamacpp, "find_spec", lambda name: None)
    with pytest.raises(HanpuriError) as error, open_engine(parse_engine(f"llamacpp:{published('koalpaca')}")):
        pass
    assert str(error.value) == (
        'llamacpp needs the library xllamacpp, which is not installed; install it: pip install "hanpuri[llamacpp]"'
    )


def test_a_head_without_a_body_costs_one_line(files):
    with pytest.raises(HanpuriError) as error, open_engine(parse_engine(f"llamacpp:{files / 'head.gguf'}")):
        pass
    assert str(error.value).startswith(f"{files}/head.gguf: llama.cpp cannot load it: ")


def test_a_tokenizer_of_another_model_is_found_out(published, tokenizer_folder, tmp_path):
    path = tmp_path / "model.gguf"
    shutil.copy(published("koalpaca"), path)
    for file in tokenizer_folder("unigram").iterdir():
        shutil.copy(file, tmp_path)
    with pytest.raises(HanpuriError) as error, open_engine(parse_engine(f"llamacpp:{path},{ONE_THREAD}")):
        pass
    assert " reads " in str(error.value)
    assert str(error.value).endswith("has for '한글 Hangul 123'; give the tokenizer of this very model")


# The process.

HELD = """
import sys, time
from hanpuri.engines.llamacpp import LlamaCppProcess
from hanpuri.engines.settings import parse_engine
process = LlamaCppProcess(__import__("pathlib").Path(sys.argv[1]), parse_engine("llamacpp:x,llamacpp.threads=1"))
print(process._process.pid, flush=True)
time.sleep(60)
"""


def test_llama_cpp_ends_with_the_process_that_started_it_even_if_that_is_killed(untrained):
    with subprocess.Popen([sys.executable, "-c", HELD, untrained], stdout=subprocess.PIPE, text=True) as holder:
        pid = int(holder.stdout.readline())
        holder.send_signal(signal.SIGKILL)
    for _ in range(500):
        if not Path(f"/proc/{pid}").exists():
            break
        time.sleep(0.02)
    else:
        pytest.fail("it is still there")


def test_a_process_that_died_in_the_middle_leaves_rows_without_an_answer(published, learnt):
    question, text = next(iter(learnt.items()))
    with open_engine(parse_engine(f"llamacpp:{published('koalpaca')},{ONE_THREAD}")) as engine:
        assert engine.generate([ask(question)])[0].text == text
        engine._process._process.kill()
        engine._process._process.wait()
        answers = engine.generate([ask(question)] * 20)
    assert not any(answer.text for answer in answers)
    assert "nothing answers at " in answers[-1].failure


# The same server, as the engine openai meets it.


def test_a_real_server_lists_its_model_and_answers_messages(server, published):
    with open_engine(parse_engine(f"openai:{server}")) as engine:
        assert (engine.served.model, engine.served.kind) == (str(published("koalpaca")), "llamacpp")
        answers = engine.generate([ask("주차장이 있나요?")] * 5, Decoding(max_new_tokens=6))
        pieces = []
        streamed = engine.stream(ask("주차장이 있나요?"), pieces.append, Decoding(max_new_tokens=6))
    assert {answer.num_tokens for answer in answers} == {6}
    assert streamed.text == "".join(pieces)
    assert answers[0].text.startswith(streamed.text)  # at a cut, half a token is held back
    assert answers[0].num_prompt_tokens > 5


def test_a_real_server_answers_the_tokens_of_the_training_word_for_word(server, published, learnt):
    folder = published("koalpaca").parent
    with open_engine(parse_engine(f"openai:{server},server.way=completions,server.tokenizer={folder}")) as engine:
        answers = engine.generate([ask(question) for question in learnt] * 6)
        assert [answer.text for answer in answers] == [*learnt.values()] * 6
        assert engine.positions == 192
        assert engine.spent.num_requests == 24


def test_a_real_server_answers_the_text_of_our_template_too(server, learnt):
    with open_engine(parse_engine(f"openai:{server},server.way=completions,template=koalpaca")) as engine:
        assert [answer.text for answer in engine.generate([ask(question) for question in learnt])] == [*learnt.values()]


def test_a_real_server_holds_restored_text_in_place(server):
    with open_engine(parse_engine(f"openai:{server},aligned=syllables")) as engine:
        (answer,) = engine.generate([{"noisy": "확잠실읾 념뭄!"}])
    assert (len(answer.text), answer.text[4], answer.text[-1]) == (8, " ", "!")


def test_a_real_server_says_that_a_prompt_is_too_long(server):
    with open_engine(parse_engine(f"openai:{server}")) as engine:
        (answer,) = engine.generate([ask("가" * 500)])
    assert answer.failure.startswith("the prompt is too long: request (")


def test_a_file_of_rows_is_scored_through_a_real_server(server, learnt, tmp_path):
    rows = [{"instruction": question, "input": "", "output": text} for question, text in learnt.items()]
    rows.append({"instruction": "가" * 500, "input": "", "output": ""})  # no answer is not the empty one
    path = tmp_path / "faq.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    with open_engine(parse_engine(f"openai:{server},server.way=completions,template=koalpaca")) as engine:
        evaluation = evaluate(engine, read_rows(path))
    assert evaluation.num_failed == 1
    assert evaluation.scores["exact_match"].value == 0.8
