"""
`hanpuri evaluate` over language models: one that is loaded here, and one behind a server, side by side.

In: pairs that the model has learnt by heart. Out: its score, and that of a server, which goes down at times.

The answers themselves are tested with the engines. It needs the taught models, so it stands beside them.
"""

import json
import shutil
import threading

import pytest

from hanpuri.cli.scoring import Asked, evaluate
from tests.engines.conftest import NOISY
from tests.engines.servers import QUICK, answer, completion, fault, send, serving

ROWS = [{"noisy": noisy, "clean": clean} for noisy, clean in NOISY.items()]


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), encoding="utf-8")
    return path


def scores(capsys):
    """What was printed, by engine."""
    return {one["engine"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}


def restore(handler, body):
    """Answer a restoration as the file has it; noisy texts stand in the message with the instruction."""
    asked = body["messages"][-1]["content"]
    send(handler, 200, completion(next(row["clean"] for row in ROWS if row["noisy"] in asked)))


def test_a_model_and_a_server_are_scored_side_by_side(taught, pairs, tmp_path, capsys):
    model = f"transformers:{taught('restoration')},device=cpu,label=learnt"
    with serving(restore) as server:
        engines = (model, f"openai:{server.address}#tiny,{QUICK},label=server")
        for kept in (0, 2):  # the second time, no answer is asked again
            evaluate(Asked((pairs,), engines=engines, clean=False, out=tmp_path / "scores", as_json=True))
            found = scores(capsys)
            assert {name: one["exact_match"] for name, one in found.items()} == {"learnt": 1.0, "server": 1.0}
            assert [one["rows_kept"] for one in found.values()] == [kept, kept]
        assert len(server.asked) == 2
    assert found["learnt"]["next_token_accuracy"] == 1.0  # only what is loaded here tells it
    assert "next_token_accuracy" not in found["server"]


def test_texts_that_are_longer_than_what_was_learnt_are_told(taught, pairs, tmp_path, capsys):
    folder = tmp_path / "model"
    shutil.copytree(taught("restoration"), folder)
    kept = folder / "prompt_template.yaml"
    kept.write_text(kept.read_text(encoding="utf-8") + "longest_prompt: 161\n", encoding="utf-8")
    said = {}
    for setting in ("", ",pieces=100"):
        engines = (f"transformers:{folder},device=cpu,label=learnt{setting}",)
        evaluate(Asked((pairs,), engines=engines, clean=False, as_json=True))
        said[setting] = capsys.readouterr().err
    assert said[""] == (
        "warning: learnt: pairs: 1 of 2 prompts have up to 162 tokens, and the longest that it was trained on 161:"
        " expect worse answers, or give long noisy texts in pieces, such as pieces=100\n"
    )
    assert said[",pieces=100"] == ""


def test_a_server_that_goes_down_and_comes_back_is_asked_the_rest_only(pairs, tmp_path, capsys):
    rows = [{"noisy": f"{number} 녀무", "clean": f"{number} 너무"} for number in range(100, 140)]
    pairs.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    up, lock, answered = threading.Event(), threading.Lock(), []

    def at_times(handler, body):
        with lock:
            number = body["messages"][-1]["content"][-6:-3]
            is_up = up.is_set() or len(answered) < 10
            answered.extend([number] * is_up)
        (answer(f"{number} 너무") if is_up else fault(503))(handler, body)

    with serving(at_times) as server:
        spec = f"openai:{server.address}#tiny,{QUICK},label=server"
        asked = Asked((pairs,), engines=(spec,), clean=False, out=tmp_path / "scores", as_json=True)
        evaluate(asked)
        first = scores(capsys)["server"]
        up.set()
        evaluate(asked)
        second = scores(capsys)["server"]
    assert (first["rows_failed"], first["exact_match"]) == (30, 0.25)
    assert (second["rows_failed"], second["rows_kept"], second["exact_match"]) == (0, 10, 1.0)
    assert len(answered) == len(set(answered)) == 40
