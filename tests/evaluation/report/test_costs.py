"""
What answering took, and what became of rows without a proper answer.

In: evaluations. Out: tables and notices.
"""

from dataclasses import replace

import pytest

from hanpuri.engines.base import Answer
from hanpuri.evaluation.report.costs import COST_HEAD, MAX_KINDS, cost_blocks, failure_blocks, kind_of
from hanpuri.pages.page import Notices, Share


def test_speed_is_told_as_it_was_measured(restored):
    one = replace(
        restored(("방이", "방이"), ("문", "문")),
        seconds=95.0,
        peak_memory_bytes=2_500_000_000,
        per_second={"rows": 0.5, "chars": 12.0, "tokens": 3.0},
    )
    table, *told = cost_blocks([one])
    assert table.head == COST_HEAD
    assert table.rows == (("told", "reviews", 2, "1 min 35 s", 0.5, 12.0, 3.0, "2.5 GB"),)
    assert len(told) == 1


def test_answers_that_were_kept_took_no_time(restored):
    one = replace(restored(("방이", "방이")), num_kept=1, per_second={}, peak_memory_bytes=None)
    table, kept, _ = cost_blocks([one])
    assert table.rows == (("told", "reviews", 1, None, None, None, None, None),)
    assert kept.text == "Answers that were kept from an earlier call, and took no time: told 1."


def test_rows_without_a_proper_answer_are_counted_by_kind(restored):
    cut = Answer("방이", 2, finished=False)
    rows = (
        ("가", Answer.failed("503 after 2 tries")),
        ("나", Answer.failed("503 after 5 tries")),
        ("다", ""),
        ("라", cut),
    )
    notices, table = failure_blocks([restored(*rows)])
    assert notices == Notices(
        (
            (
                "told gave no answer to 2 of 4 rows of reviews.",
                "They are scored as wrong; the same command asks them again.",
            ),
        ),
        "Every row was answered.",
    )
    assert table.rows == (
        ("told", "reviews", "no answer: 503 after # tries", 2, Share(0.5), "reviews.jsonl:1"),
        ("told", "reviews", "an empty text", 1, Share(0.25), "reviews.jsonl:3"),
        ("told", "reviews", "cut off: it had not ended at max_new_tokens", 1, Share(0.25), "reviews.jsonl:4"),
    )


def test_nothing_is_reported_where_every_row_was_answered(restored):
    notices, table = failure_blocks([restored(("가", "나"))])
    assert not notices.items
    assert not table.rows


def test_of_many_kinds_the_most_frequent_are_shown(restored):
    rows = [("가", Answer.failed(f"no {'x' * number}")) for number in range(20)]
    _, table = failure_blocks([restored(*rows)])
    assert len(table.rows) == MAX_KINDS


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("503 after 12 tries", "503 after # tries"),
        ("found 4,096 tokens, expected 2,048 at most", "found # tokens, expected # at most"),
        ("timed out after 12.5 s", "timed out after # s"),
        ("two\nlines \x1b[31m", "two\\nlines \\x1b[#m"),
    ],
)
def test_numbers_do_not_make_another_kind(reason, kind):
    assert kind_of(reason) == kind
