"""`hanpuri score`: preferences, answers and samples by a small reward model; a stop, a report, what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hanpuri.cli.rewarding import Asked, score
from hanpuri.errors import HanpuriError
from hanpuri.training.recipe import RewardRecipe
from hanpuri.training.train import train

KIND, RUDE = "네, 그럼요.", "몰라, <b>딴 데</b> 알아봐."
ASKED = [f"{thing} 있나요?" for thing in ("방이", "주차장이", "조식이", "수건이", "온천이", "와이파이가")]
PAIRS = [{"prompt": asked, "chosen": KIND, "rejected": RUDE} for asked in ASKED]
# Whoever wrote these liked the other answer.
WRONG = [{"prompt": asked, "chosen": RUDE, "rejected": KIND} for asked in ASKED[:2]]


def written(path, *rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory, request):
    """A reward model of two blocks that has learnt to like the polite answer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = request.getfixturevalue("tokenizer_of")("bytes")
    folder = tmp_path_factory.mktemp("score")
    torch.manual_seed(0)
    sizes = {"vocab_size": tokenizer.vocab_size, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
    config = AutoConfig.for_model("llama", **sizes, **ids, num_attention_heads=4, max_position_embeddings=256)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder / "base")
    tokenizer.fast.save_pretrained(folder / "base")
    recipe = {
        "kind": "reward",
        "name": "kind",
        "model": {"path": str(folder / "base")},
        "data": {"path": str(written(folder / "train.jsonl", *PAIRS)), "validation_share": 0},
        "examples": {"template": "koalpaca"},
        "training": {"steps": 12, "batch_size": 6, "learning_rate": 5e-3},
    }
    return train(RewardRecipe.model_validate(recipe), folder / "kind", measures={}, device="cpu").folder


@pytest.fixture
def asked(model, tmp_path, monkeypatch):
    """Ask in the test's folder."""
    monkeypatch.chdir(tmp_path)
    return Asked(written(tmp_path / "pairs.jsonl", *PAIRS, *WRONG).relative_to(tmp_path), str(model), device="cpu")


def test_preferences_are_agreed_with_or_not(asked, capsys):
    score(replace(asked, out=Path("scored.jsonl")))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "pairs.jsonl: 8 pairs"
    assert lines[1].startswith("accuracy           0.7500 ±")
    assert [line.split("  ")[0] for line in lines[2:5]] == ["margin", "loss", "calibration error"]
    told = "the longer answer wins in 0.0% of the pairs of different lengths, and is the better one in 25.0%"
    assert lines[5:] == [told]
    rows = [json.loads(line) for line in Path("scored.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["chosen_score"] > row["rejected_score"] for row in rows] == [True] * 6 + [False] * 2
    assert rows[0].items() > PAIRS[0].items()
    assert not Path("scored.jsonl.kept").exists()


def test_figures_are_json_and_a_page_for_people(asked, capsys):
    score(replace(asked, report=Path("scores"), as_json=True))
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert (told["file"], told["pairs"], told["accuracy"]) == ("pairs.jsonl", 8, 0.75)
    low, high = told["accuracy_interval"]
    assert low < 0.75 < high
    kept = json.loads(Path("scores/report.json").read_text(encoding="utf-8"))
    assert {name: kept[name] for name in told} == told
    page = Path("scores/report.html").read_text(encoding="utf-8")
    assert "pairs.jsonl:7: -" in page
    assert "<b>" not in page
    assert "The shorter" not in page
    assert captured.err.endswith("hanpuri: scores/report.html shows it, scores/report.json holds it\n")


def test_answers_without_another_side_are_told_by_their_mean(asked, tmp_path, capsys):
    path = written(tmp_path / "faq.csv")
    path.write_text(f"question,answer\n{ASKED[0]},물론\n{ASKED[1]},아니\n", encoding="utf-8")
    score(replace(asked, file=path, as_json=True))
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["answers"], told["unanswered"]) == (2, 2, 0)
    assert told["lowest"] <= told["mean"] <= told["highest"]


def test_samples_are_scored_anew_and_the_best_of_each_row_is_told(asked, tmp_path, capsys):
    answers = [{"text": text, "score": 0.0, "num_tokens": 1, "finished": True} for text in (RUDE, KIND)]
    gone = {"text": "", "score": None, "num_tokens": 0, "finished": False, "failure": "no answer"}
    asks = {"instruction": ASKED[0], "input": ""}
    row = {"id": "1", "where": "a:1", "asked": asks, "reference": None, "answers": [*answers, gone]}
    score(replace(asked, file=written(tmp_path / "samples.jsonl", row), out=Path("anew.jsonl")))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("samples.jsonl: 3 answers to 1 rows")
    assert [line.split("  ")[0] for line in lines[1:3]] == ["score", "best of the row"]
    rude, kind, none = json.loads(Path("anew.jsonl").read_text(encoding="utf-8"))["answers"]
    assert kind["score"] > rude["score"]
    assert none == gone


def test_a_stopped_call_goes_on(asked, capsys, monkeypatch):
    from hanpuri.training.preference.reward_model import RewardModel

    asks = replace(asked, out=Path("scored.jsonl"), batch_size=1)
    monkeypatch.setattr("hanpuri.preferences.answered_rows.AHEAD", 3)
    whole, calls = RewardModel.score, []

    def stopped(self, rows, *told):
        calls.append(len(rows))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(self, rows, *told)

    with monkeypatch.context() as patch:
        patch.setattr(RewardModel, "score", stopped)
        with pytest.raises(KeyboardInterrupt):
            score(asks)
    assert "so far are in scored.jsonl.kept: the same command goes on" in capsys.readouterr().err
    assert not Path("scored.jsonl").exists()
    assert len(Path("scored.jsonl.kept").read_text(encoding="utf-8").splitlines()) == 6
    score(asks)
    assert len(Path("scored.jsonl").read_text(encoding="utf-8").splitlines()) == 8


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"file": Path("none.jsonl")}, "none.jsonl: found no such file"),
        ({"out": Path("scored.csv")}, "scored.csv: found no name of a JSONL file"),
        ({"report": Path("pairs.jsonl/in")}, "pairs.jsonl/in cannot be made: Not a directory"),
        ({"model": "none"}, "none: found no such folder"),
        ({"fields": ("prompt",)}, "--fields is 'prompt'; write it as noisy=COLUMN"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(asked, changed, expected):
    with pytest.raises(HanpuriError) as error:
        score(replace(asked, **changed))
    assert str(error.value).startswith(expected)


def test_a_page_about_answers_without_another_side_is_refused(asked, tmp_path):
    path = written(tmp_path / "one.jsonl", {"noisy": "가", "clean": "나"})
    with pytest.raises(HanpuriError) as error:
        score(replace(asked, file=path, report=tmp_path / "scores"))
    told = "found rows without a chosen and a rejected answer, which --report is about; leave --report out"
    assert str(error.value) == f"{path}: {told}"


def test_the_command_explains_itself_with_examples(hanpuri):
    done = hanpuri("score", "--help")
    assert (done.code, done.err) == (0, "")
    assert "hanpuri score pairs.jsonl --model runs/reward" in done.out.partition("Examples")[2]
