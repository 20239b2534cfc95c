"""
The report: two files, one for people and one for programs, the same bytes for the same facts.

In: facts. Out: report.html and report.json. What the page looks like is tested in tests/pages/test_browser.py.
"""

import json
import re
import stat
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from hanpuri.data.quality import report
from hanpuri.data.quality.facts import (
    AugmentationFacts,
    Cluster,
    DuplicateFacts,
    Facts,
    OverlapFacts,
    ResponseMeasures,
    SourceFacts,
    SplitFacts,
    StepFacts,
)
from hanpuri.data.quality.measures import text_measures
from hanpuri.data.quality.report import check_libraries, report_content, report_page, write_report
from hanpuri.errors import DataError
from hanpuri.pages.page import render


def headings(facts: Facts) -> list[str]:
    return [section.title for section in report_page(facts).sections]


def cells_of(html: str, caption: str) -> list[list[str]]:
    """The cells of the table below a caption, row by row, without their tags."""
    table = html[html.index(f"<caption>{caption}</caption>") :].partition("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    return [[re.sub("<[^>]+>", "", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


# --- the files


def test_two_files_are_written_and_nothing_else(calm, tmp_path):
    write_report(tmp_path, calm)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == render(report_page(calm))
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == report_content(calm)


def test_the_same_facts_give_the_same_bytes_in_whatever_order_they_were_counted(calm, tmp_path):
    train, *others = calm.splits
    turned = replace(train, labels=dict(reversed(train.labels.items())), lengths=Counter(dict(train.lengths)))
    for name, facts in (("one", calm), ("two", replace(calm, splits=(turned, *others)))):
        (tmp_path / name).mkdir()
        write_report(tmp_path / name, facts)
    for name in ("report.html", "report.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_an_old_report_is_replaced(calm, tmp_path):
    (tmp_path / "report.html").write_text("old")
    write_report(tmp_path, calm)
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_half_a_surrogate_pair_in_a_row_stops_neither_file(calm, tmp_path):
    spoilt = replace(calm, duplicates=DuplicateFacts(1, 1, {2: 1}, (Cluster(2, 1.0, ("반쪽\ud800", "가\0\u2028나")),)))
    write_report(tmp_path, spoilt)
    content = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert content["duplicates"]["largest"][0]["texts"] == ["반쪽\ud800", "가\0\u2028나"]
    assert "반쪽\\ud800" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_folder_that_is_not_there_is_told(calm, tmp_path):
    with pytest.raises(DataError) as caught:
        write_report(tmp_path / "none", calm)
    path = tmp_path / "none"
    assert str(caught.value) == (
        f"{path / 'report.html'}: found no folder {path}, expected one to write into; make it: mkdir -p {path}"
    )


def test_a_missing_library_is_told_before_the_work(monkeypatch):
    check_libraries()
    monkeypatch.setattr(report, "LIBRARIES", ("no_such_library", "jinja2", "nor_this_one"))
    with pytest.raises(DataError) as caught:
        check_libraries()
    assert str(caught.value) == (
        'making a training set needs no_such_library, nor_this_one; pip install "hanpuri[data]"'
    )


def test_importing_the_report_loads_no_library_for_it():
    program = (
        "import hanpuri.data.quality.report, sys; print({'jinja2', 'matplotlib', 'transformers'} & {*sys.modules})"
    )
    root = Path(__file__).parents[3]
    finished = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, timeout=60, check=True)
    assert finished.stdout.strip() == b"set()"


# --- the page


def test_warnings_come_first_and_what_was_not_looked_at_is_left_out(calm):
    whole = ["Warnings", "In short", "Sources", "Rows through the steps", "Duplicates and overlap", "Splits"]
    assert headings(calm) == [*whole, "Noise", "Tokens", "Variety"]
    assert headings(replace(calm, augmentation=None, tokens=(), diversity={}, responses=None)) == whole


def test_nothing_to_warn_of_is_said(calm):
    assert '<p class="calm">Nothing stands out.</p>' in render(report_page(calm))
    spoilt = render(report_page(replace(calm, findings={"mojibake": 2})))
    assert "<li>Text that was once read in a wrong encoding in 2 rows. <span" in spoilt


def test_rows_are_followed_through_the_steps(calm):
    steps = (StepFacts("nfc", 1_200), StepFacts("min_hangul", 0, 30), StepFacts("near_duplicate", 0, 20))
    html = render(
        report_page(replace(calm, steps=steps, sources=(SourceFacts("a.txt", 1_000), SourceFacts("b.txt", 500))))
    )
    for row in (
        ("nfc", "1,200", "0", "1,500"),
        ("min_hangul", "0", "30", "1,470"),
        ("near_duplicate", "0", "20", "1,450"),
    ):
        first, *rest = row
        assert f"<td>{first}</td>" + "".join(f'<td class="figure">{cell}</td>' for cell in rest) in html
    assert "<figcaption>Of 1,500 rows, 1,450 are left.</figcaption>" in html


def test_tables_hold_what_was_counted(calm):
    html = render(report_page(calm))
    assert cells_of(html, "Lengths in characters")[:2] == [
        ["split", "rows", "shortest", "median", "95th percentile", "longest"],
        ["train", "150", "14", "14", "37", "200"],
    ]
    assert cells_of(html, "Rows by label")[1:] == [["긍정", "80", "80", "80"], ["부정", "70", "70", "70"]]
    assert cells_of(html, "Tokens in an example")[1] == [
        *("ours", "8,000", "750", "20", "60", "0 %", "0 %", "0 %", "0 %", "0", "0"),
    ]
    assert cells_of(html, "What each tokenizer makes of the text")[1] == [
        *("ours", "clean", "150", "0.800", "5.00", "0", "0", "100 %"),
    ]
    assert cells_of(html, "Changes by rule")[1] == ["aspiration", "40"]
    responses = cells_of(html, "Responses, of 750 rows in train")[1:]
    assert responses == [["empty", "0"], ["much longer than the prompt", "0"]]


def test_samples_of_clusters_and_of_overlap_are_shown(calm):
    clusters = (Cluster(12, 0.875, ("방이 좁아요", "방이 좁아요!")),)
    html = render(
        report_page(
            replace(
                calm,
                duplicates=DuplicateFacts(near=11, sizes={2: 5, 12: 1, 2_000: 1}, largest=clusters),
                overlaps=(OverlapFacts("eval.jsonl", 4, ("방이좁지만깨끗하고직원이친절해",)),),
            )
        )
    )
    assert cells_of(html, "The largest clusters")[1] == ["12", "0.875", "방이 좁아요방이 좁아요!"]
    assert cells_of(html, "Overlap with evaluation files")[1] == ["eval.jsonl", "4", "방이좁지만깨끗하고직원이친절해"]
    assert "<figcaption>7 clusters; the largest has 2,000 rows.</figcaption>" in html
    assert ">1,000 to 2,000</text>" in html


def test_many_labels_are_drawn_in_part_and_the_rest_is_one_bar(calm):
    labels = {f"갈래 {number:02}": 100 - number for number in range(60)}
    html = render(report_page(replace(calm, splits=(SplitFacts("train", 4230, labels),))))
    assert ">(48 others)</text>" in html
    assert ">갈래 11</text>" in html
    assert ">갈래 12</text>" not in html
    assert len(cells_of(html, "Rows by label, the 50 most frequent of 60")) == 51


def test_tokenizers_of_one_name_are_told_apart_and_six_are_drawn(calm):
    ours = calm.tokens[0]
    html = render(report_page(replace(calm, tokens=tuple(replace(ours, vocabulary=number) for number in range(8)))))
    assert re.findall(r"</i>(ours.*?)</li>", html) == [f"ours ({number})" for number in range(1, 7)]
    assert len(cells_of(html, "Tokens in an example")) == 9


def test_how_many_texts_were_looked_at_is_said(calm):
    measures = replace(text_measures(["가 나 다", "라 마 바"]), rows=1_700_000, looked_at=100_000)
    html = render(report_page(replace(calm, diversity={"text": measures})))
    assert "Looked at: 100,000 of 1,700,000 texts in text." in html


def test_long_rows_beyond_the_plot_are_told(calm):
    splits = (SplitFacts("train", 10_001, lengths={20: 10_000, 90_000: 1}),)
    assert "The last step holds all rows from 20 characters on." in render(report_page(replace(calm, splits=splits)))


@pytest.mark.parametrize(
    "facts",
    [
        Facts("none", "text", 0, (), (), ()),  # nothing at all
        Facts("none", "text", 0, (SourceFacts("a", 0),), (StepFacts("nfc"),), (SplitFacts("train", 0),)),
        Facts("none", "pairs", 0, (), (), (), augmentation=AugmentationFacts(0)),
        Facts(
            "none", "text", 0, (), (), (), diversity={"text": text_measures([])}, responses=ResponseMeasures(0, 0, 0)
        ),
        Facts("one", "text", 0, (), (), (SplitFacts("train", 1, {"": 1}, {"": 1}, {0: 1}),)),
    ],
)
def test_there_is_a_page_for_next_to_nothing_too(facts, tmp_path):
    write_report(tmp_path, facts)
    assert (tmp_path / "report.html").stat().st_size > 1_000


# --- the JSON


def test_the_json_holds_all_facts_the_warnings_and_the_shares_over_the_limits(calm):
    content = report_content(replace(calm, findings={"mojibake": 2}))
    assert content["warnings"] == [
        {
            "rule": "broken_characters",
            "message": "text that was once read in a wrong encoding in 2 rows",
            "mend": "give the right encoding of the source, or set clean.mojibake to drop",
        }
    ]
    assert list(content)[1:] == list(Facts.__dataclass_fields__)
    assert content["splits"][0] == {
        "name": "train",
        "rows": 150,
        "labels": {"긍정": 80, "부정": 70},
        "strata": {"long": 50, "short": 100},
        "lengths": {"14": 100, "37": 49, "200": 1},
    }
    assert content["tokens"][0]["share_over"] == {"512": 0.0, "1024": 0.0, "2048": 0.0}
    assert content["tokens"][0]["median"] == 20
    assert report_content(replace(calm, tokens=()))["tokens"] == []


def test_a_report_can_be_read_by_whom_the_folder_belongs_to(calm, tmp_path):
    write_report(tmp_path, calm)
    assert stat.S_IMODE((tmp_path / "report.html").stat().st_mode) & stat.S_IRUSR
