"""Samples of each evaluation: kept, cut back, and shown without doing what they say."""

import json

from hanpuri.runs.metrics import read_lines
from hanpuri.training.reinforcement.questions import Question
from hanpuri.training.reinforcement.samples import FILE, Sample, cut_samples, keep_samples
from hanpuri.training.reinforcement.samples_page import compare, spread

HOSTILE = "<script>alert(1)</script>\x1b[31m\ud83d"


def sample(answer, *, name="pairs.jsonl:7", right="재밌어요", reward=0.75):
    return Sample(
        Question(name, {"noisy": "쨰밌어요"}, (5,)), "쨰밌어요", right, answer, True, reward, {"near": reward}
    )


def test_samples_are_kept_by_step_and_cut_back_with_the_run(tmp_path):
    for step in (0, 100, 200):
        keep_samples(tmp_path, step, [sample("재밋어요")])
    cut_samples(tmp_path, 100)
    assert [line["step"] for line in read_lines(tmp_path / FILE)] == [0, 100]
    line = json.loads((tmp_path / FILE).read_text(encoding="utf-8").splitlines()[0])
    assert {key: value for key, value in line.items() if key != "time"} == {
        "step": 0,
        "where": "pairs.jsonl:7",
        "asked": "쨰밌어요",
        "right": "재밌어요",
        "answer": "재밋어요",
        "finished": True,
        "reward": 0.75,
        "reward_near": 0.75,
    }
    cut_samples(tmp_path, -1)
    assert [*read_lines(tmp_path / FILE)] == []


def test_the_page_shows_the_answers_side_by_side_and_does_nothing_that_they_say(tmp_path, caplog):
    keep_samples(tmp_path, 0, [sample("재밋어요"), sample(HOSTILE, name=HOSTILE, right=None, reward=float("nan"))])
    with caplog.at_level("INFO", logger="hanpuri.training"):
        keep_samples(tmp_path, 100, [sample("재밌어요", reward=1.0), sample(HOSTILE, name=HOSTILE, right=None)])
    page = (tmp_path / "samples.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "step 0 · reward 0.75" in page
    assert "step 100 · reward 1" in page
    assert "→밌" in page
    assert "sample pairs.jsonl:7: 쨰밌어요 ─► 재밌어요 (reward 1, right: 재밌어요)" in caplog.text
    assert "\x1b" not in caplog.text


def test_a_disk_that_takes_no_samples_does_not_end_the_run(tmp_path, caplog):
    keep_samples(tmp_path / "nowhere", 100, [sample("재밌어요")])
    assert "step 100: its samples were not kept: " in caplog.text


def test_of_many_evaluations_some_are_shown_the_first_and_the_last_among_them():
    assert spread(list(range(0, 2000, 100))) == [0, 300, 500, 800, 1100, 1400, 1600, 1900]
    assert spread([0]) == [0]


def test_what_differs_from_the_right_answer_is_marked():
    pieces = [(piece.text, piece.mark) for piece in compare("방이 널고 좋", "방이 넓고 좋아").pieces]
    assert pieces == [("방이 ", ""), ("널", "wrong"), ("고 좋", ""), ("아", "missing")]
