"""
The page of curves: what is drawn of a run, what is marked and said, and what cannot break it.

In: folders as the kinds of runs leave them. Out: curves.html, and the page of a comparison.
"""

import html as escapes
import math
import os
import re
import time

import pytest

from hanpuri.runs.comparison import compare
from hanpuri.runs.curves import MAX_POINTS, write_comparison, write_curves
from hanpuri.runs.reading import read_run


def titles(page: str) -> list[str]:
    return re.findall(r"<h3>(.*?)</h3>", page)


def words(page: str) -> dict[str, str]:
    """What stands below each plot, by the plot's title."""
    return dict(
        zip(titles(page), map(escapes.unescape, re.findall(r"<figcaption>(.*?)</figcaption>", page)), strict=True)
    )


def curves(folder) -> str:
    return write_curves(folder).read_text(encoding="utf-8")


def test_a_fine_tuning_has_a_plot_of_all_that_it_told_of(run_folder, kinds):
    page = curves(run_folder(result=kinds.result))
    assert titles(page) == [
        "Loss",
        "Next-token accuracy",
        "Learning rate",
        "Length of the gradient",
        "Speed",
        "Scores",
    ]
    assert words(page)["Loss"] == "At step 40: training 0.1, validation 1.7."
    assert "<div><dt>steps</dt><dd>40</dd></div>" in page
    assert "<div><dt>best step</dt><dd>20</dd></div>" in page


def test_a_pre_training_has_its_bits_per_byte_and_a_restorer_its_files_of_pairs(run_folder, kinds, written_lines):
    lines = [{"step": 100, "eval_loss": 4.0, "eval_bits_per_byte": 1.75}]
    assert titles(curves(run_folder("small", kinds.pretrain, lines))) == ["Loss", "Bits per byte"]
    page = curves(run_folder("tiny", kinds.compact, written_lines.compact()))
    assert words(page)["Scores"] == "At step 40: own 0.91."


def test_the_best_step_and_where_it_learns_by_heart_are_marked(run_folder, kinds):
    page = curves(run_folder(result=kinds.result))
    assert page.count(">best</text>") == 3  # of the plots with validation in them
    assert "</i>rises: overfitting</li>" in page
    assert "<li>Step 40: the validation loss rose twice in a row" in page
    assert "Nothing to warn of." in curves(run_folder("calm", lines=[{"step": 1, "loss": 1.0}]))


def test_a_long_course_is_thinned_and_this_is_said(run_folder):
    lines = [{"step": step, "loss": 2.0 + step % 2} for step in range(1, 10 * MAX_POINTS + 1)]
    page = curves(run_folder(lines=lines))
    assert words(page)["Loss"].endswith("Each point is the mean of up to 10 lines.")
    (path,) = re.findall(r'<path d="([^"]*)"[^>]*series-1', page)
    assert path.count("L") < MAX_POINTS
    assert "mean of" not in curves(run_folder("short", lines=lines[:MAX_POINTS]))


def test_a_loss_that_is_no_number_is_a_gap_and_is_said(run_folder):
    lines = [{"step": step, "loss": math.nan if step > 5 else 1.0 / step} for step in range(1, 9)]
    page = curves(run_folder(lines=lines))
    assert "The loss is no number in 3 of the lines." in page
    assert words(page)["Loss"] == "At step 8: training no number."


def test_a_run_that_logged_nothing_has_a_page_that_says_so(run_folder):
    page = curves(run_folder(lines=[]))
    assert "<p>Nothing has been logged yet.</p>" in page


def test_the_same_metrics_give_the_same_bytes_and_nothing_is_left_beside(run_folder):
    folder = run_folder()
    assert curves(folder) == curves(folder)
    names = ["curves.html", "environment.json", "metrics.jsonl", "recipe.yaml"]
    assert sorted(path.name for path in folder.iterdir()) == names


def test_a_page_that_cannot_be_written_leaves_the_old_one(run_folder):
    folder = run_folder()
    before = curves(folder)
    (folder / f"curves.html.{os.getpid()}.part").symlink_to("/dev/full")  # a disk without room
    with pytest.raises(OSError, match="No space left on device"):
        write_curves(folder)
    assert (folder / "curves.html").read_text(encoding="utf-8") == before


HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(1)">\x1b[31m\ud800'


def test_no_text_of_a_run_gets_out_of_its_place(run_folder, kinds, tmp_path):
    lines = [{"step": 1, "event": "failed", "message": HOSTILE}]
    lines += [{"step": step, f"eval_{HOSTILE}": 0.5, HOSTILE.upper(): 1} for step in (1, 2)]
    recipe = {**kinds.sft, "kind": HOSTILE.replace("\ud800", ""), "training": {"learning_rate": "<b>"}}
    folder, other = run_folder("한풀이 <b>[red]", recipe, lines), run_folder("other", lines=lines)
    runs = [read_run(folder), read_run(other)]
    write_comparison(tmp_path / "page.html", runs, compare(runs))
    for page in (curves(folder), (tmp_path / "page.html").read_text(encoding="utf-8")):
        assert not re.search(r"<(script|img|b)\b", page)
        assert "\x1b" not in page
        assert "한풀이 &lt;b&gt;[red]" in page


def test_fifty_thousand_lines_are_drawn_in_seconds(run_folder):
    course = {"token_accuracy": 0.5, "learning_rate": 0.1, "grad_norm": 1.0, "tokens_per_second": 8.0}
    folder = run_folder(lines=[{"time": step, "step": step, "loss": 1.0, **course} for step in range(50_000)])
    started = time.process_time()
    write_curves(folder)
    assert time.process_time() - started < 4  # 0.7 on a quiet core


# --- several runs


def test_a_comparison_has_the_table_and_a_plot_of_what_at_least_two_runs_told_of(run_folder, kinds, tmp_path):
    runs = [read_run(run_folder("one", result=kinds.result)), read_run(run_folder("two"))]
    write_comparison(tmp_path / "page.html", runs, compare(runs))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert titles(page) == [
        "Loss",
        "Loss, validation",
        "Next-token accuracy",
        "Speed",
        "char_accuracy",
    ]
    assert words(page)["Loss, validation"] == "At step 40: one 1.7, two 1.7. Less is better."
    assert "<td>0.9663 ★</td>" in page
    assert "<li>two is stopped at step 40 of 40." in page


def test_of_more_runs_than_colours_the_first_are_drawn(run_folder, tmp_path):
    runs = [read_run(run_folder(f"run-{number}")) for number in range(7)]
    write_comparison(tmp_path / "page.html", runs, compare(runs))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "The curves are those of the first 6 runs." in page
    assert "</i>run-6</li>" not in page


def test_runs_that_share_no_course_have_a_table_alone(run_folder, tmp_path):
    runs = [read_run(run_folder(name, lines=[])) for name in ("one", "two")]
    write_comparison(tmp_path / "page.html", runs, compare(runs))
    assert titles((tmp_path / "page.html").read_text(encoding="utf-8")) == []
