"""
What `benchmarks/service.py` measured ─► the rows of a table, a column for each number of workers.

In:  {"machine": …, "date": …, "versions": {…}, "workers": {"1": {"ready_seconds": 1.4, "base": {"p50": 14.2, …}, …}}}.
Out: ["start to ready", "1.40 s", "2 s"] and so on; the last column is what was aimed at.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Row(NamedTuple):
    """What a row is called, and what was aimed at."""

    english: str
    korean: str
    target: str


ROWS = (
    Row("start to ready", "시작부터 준비까지", "2 s"),
    Row("one review, `base`: p50 · p90 · p99", "리뷰 하나, `base`: p50 · p90 · p99", "25 · – · 120 ms"),
    Row("one review, `small`: p50 · p90 · p99", "리뷰 하나, `small`: p50 · p90 · p99", "25 · – · 120 ms"),
    Row(
        "1,000 reviews at once: characters/s, share of the library's own speed",
        "리뷰 1,000개를 한 번에: 초당 글자, 라이브러리 대비",
        "90%",
    ),
    Row("requests/s that it can answer", "답할 수 있는 초당 요청", "–"),
    Row(
        "asked for twice that: helped · told to come later · anything else",
        "그 두 배를 요청받으면: 처리 · 나중에 오라고 답함 · 그 밖",
        "0 else",
    ),
    Row("how soon those were helped: p50 · p99", "처리된 요청의 지연: p50 · p99", "–"),
    Row("memory meanwhile, growth after the first minute", "그동안의 메모리, 첫 1분 뒤의 증가", "+5%"),
    Row("as fast as before again after", "다시 빨라지기까지", "seconds"),
)


def service_rows(figures: Mapping[str, Any], korean: bool = False) -> tuple[list[str], list[list[str]], str]:
    """Make head and rows, and say where it was measured."""
    by_workers = figures["workers"]
    columns = [_cells(one) for one in by_workers.values()]
    rows = [
        [row.korean if korean else row.english, *cells, row.target] for row, *cells in zip(ROWS, *columns, strict=True)
    ]
    heads = [f"{number} worker{'s' * (number != '1')}" for number in by_workers]
    if korean:
        heads = [f"프로세스 {number}개" for number in by_workers]
    versions = ", ".join(f"{name} {number}" for name, number in figures["versions"].items())
    where = f"{figures['machine']}, the client on the same ones, {figures['date']}; {versions}"
    return ["", *heads, "목표" if korean else "target"], rows, where


def _cells(one: Mapping[str, Any]) -> list[str]:
    batches, overload = one["batches"], one["overload"]
    statuses = dict(overload["statuses"])
    helped, refused = statuses.pop("200", 0), statuses.pop("429", 0)
    memory, recovery = overload["memory_mib"], overload["recovery_seconds"]
    return [
        f"{one['ready_seconds']:.2f} s",
        *(f"{_milliseconds(one[model], 50, 90, 99)}" for model in ("base", "small")),
        f"{batches['service']:,}, {batches['ratio']:.0%}",
        f"{overload['capacity']:.0f}",
        f"{helped:,} · {refused:,} · {sum(statuses.values()):,}",
        _milliseconds(overload, 50, 99),
        f"{memory[0]:.0f} → {memory[-1]:.0f} MiB, {overload['growth']:+.1%}",
        "never" if recovery is None else f"{recovery:.0f} s",
    ]


def _milliseconds(figures: Mapping[str, Any], *shares: int) -> str:
    """Show some quantiles; of nothing there are none."""
    return " · ".join(f"{figures[f'p{share}']:.0f}" if f"p{share}" in figures else "–" for share in shares) + " ms"
