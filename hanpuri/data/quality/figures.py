"""
The plots of the report, each with a sentence that says what it shows.

In:  facts.   Out: plots, such as that of the lengths of each split, which says:

    train: half of the rows have at most 28 characters, 95 of 100 at most 103, the longest 146.
"""

from bisect import bisect_right
from collections.abc import Sequence

from hanpuri.data.quality.facts import Counts, Facts, SplitFacts, Spread, TokenFacts
from hanpuri.data.quality.lengths import binned, doubling_edges, even_edges, quantile, share_over
from hanpuri.noise.rules import RULES
from hanpuri.pages.page import Share, figure
from hanpuri.pages.plots import SERIES, Plot, bars, histogram

MAX_LABELS = 12
SIZES = ((2, 2), (3, 3), (4, 4), (5, 9), (10, 19), (20, 49), (50, 99), (100, 999))


def rows_left(facts: Facts) -> list[tuple[str, int]]:
    """
    Count the rows that are left after each step, from those that were read on.

    >>> from hanpuri.data.quality.facts import SourceFacts, StepFacts
    >>> steps = (StepFacts("nfc", changed=3), StepFacts("exact duplicates", dropped=2))
    >>> rows_left(Facts("nsmc", "text", 0, (SourceFacts("nsmc.txt", 10),), steps, ()))
    [('read', 10), ('nfc', 10), ('exact duplicates', 8)]
    """
    left = [("read", facts.rows_read)]
    for step in facts.steps:
        left.append((step.step, left[-1][1] - step.dropped))
    return left


def draw_steps(facts: Facts) -> Plot:
    """Draw how the rows get fewer; steps that leave out none are left out themselves."""
    left = rows_left(facts)
    dropping = {step.step for step in facts.steps if step.dropped}
    shown = [("read", left[0][1]), *(item for item in left[1:] if item[0] in dropping)]
    told = f"Of {left[0][1]:,} rows, {left[-1][1]:,} are left."
    if not dropping:
        told = f"No step left out any of the {left[0][1]:,} rows."
    names, rows = zip(*shown, strict=True)
    return bars("Rows left after each step", names, {"rows": rows}, axes=("step", "rows"), told=told)


def draw_clusters(sizes: Spread) -> Plot:
    """Draw how large the clusters of nearly the same rows are."""
    last = (SIZES[-1][1] + 1, max(sizes))
    counts = {_range(*one): _between(sizes, *one) for one in (*SIZES, last)}
    shown = {name: clusters for name, clusters in counts.items() if clusters}
    largest = f"{sum(sizes.values()):,} clusters; the largest has {max(sizes):,} rows."
    return bars(
        "Clusters of nearly the same rows",
        list(shown),
        {"clusters": list(shown.values())},
        axes=("rows in a cluster", "clusters"),
        told=largest,
    )


def draw_lengths(splits: Sequence[SplitFacts]) -> Plot:
    """Draw how long the rows of each split are, in shares, so that a small split can be held against a large one."""
    shown = {split.name: split.lengths for split in splits if split.lengths}
    longest = max(max(lengths) for lengths in shown.values())
    edges = even_edges(max(quantile(lengths, 0.995) for lengths in shown.values()))
    told = " ".join(
        f"{name}: half of the rows have at most {quantile(lengths, 0.5):,} characters, 95 of 100 at most "
        f"{quantile(lengths, 0.95):,}, the longest {max(lengths):,}."
        for name, lengths in shown.items()
    )
    if longest > edges[-1]:
        told += f" The last step holds all rows from {edges[-2] + 0.5:,.0f} characters on."
    series = {name: _in_percent(lengths, edges) for name, lengths in shown.items()}
    return histogram("Length of the rows", series, edges, axes=("characters", "% of the split's rows"), told=told)


def draw_labels(splits: Sequence[SplitFacts]) -> Plot:
    """Draw the share of each label in each split."""
    shown = {split.name: split.labels for split in splits if sum(split.labels.values())}
    totals = {label: sum(one.get(label, 0) for one in shown.values()) for one in shown.values() for label in one}
    frequent = sorted(totals, key=lambda label: (-totals[label], label))[:MAX_LABELS]
    rest = len(totals) - len(frequent)
    names = [*frequent, *([f"({rest:,} others)"] if rest else [])]
    series = {}
    for name, labels in shown.items():
        whole = sum(labels.values())
        shares = [100 * labels.get(label, 0) / whole for label in frequent]
        series[name] = [*shares, *([100 - sum(shares)] if rest else [])]
    first = next(iter(series))
    told = f"In {first}: " + ", ".join(
        f"{label} {figure(Share(value / 100))}" for label, value in zip(names, series[first], strict=True)
    )
    return bars("Balance of the labels", names, series, axes=("label", "% of the split's rows"), told=f"{told}.")


def draw_rules(rules: Counts) -> Plot:
    """Draw how often each rule of the noise was needed, those never needed too."""
    every = {**dict.fromkeys((rule.name for rule in RULES), 0), **rules}
    ordered = sorted(every, key=lambda rule: (-every[rule], rule))
    told = ", ".join(f"{rule} {figure(Share(every[rule] / sum(every.values())))}" for rule in ordered)
    series = {"changes": [every[rule] for rule in ordered]}
    return bars("Changes by rule of the noise", ordered, series, axes=("rule", "changes"), told=f"{told}.")


def draw_tokens(tokens: Sequence[TokenFacts]) -> Plot:
    """Draw how long the examples get with each tokenizer, and where they would be cut."""
    names = [one.tokenizer for one in tokens]
    shown = {
        name if names.count(name) == 1 else f"{name} ({number})": one
        for number, (name, one) in enumerate(zip(names, tokens, strict=True), start=1)
        if one.lengths
    }
    some = dict(list(shown.items())[: len(SERIES)])
    limit = max(one.max_length for one in some.values())
    shortest = min(min(one.lengths) for one in some.values())
    edges = doubling_edges(max(max(one.lengths) for one in some.values()))
    edges = edges[max(0, bisect_right(edges, shortest) - 1) :]
    told = " ".join(
        f"{name}: half of the examples have at most {quantile(one.lengths, 0.5):,} tokens, the longest "
        f"{max(one.lengths):,}; {figure(Share(share_over(one.lengths, one.max_length)))} are over {one.max_length:,}."
        for name, one in some.items()
    )
    series = {name: _in_percent(one.lengths, edges) for name, one in some.items()}
    return histogram(
        "Tokens in an example",
        series,
        edges,
        axes=("tokens, on a doubling scale", "% of the examples"),
        told=told,
        doubling=True,
        mark=(f"max_length {limit:,}", limit),
    )


def _in_percent(lengths: Spread, edges: Sequence[float]) -> list[float]:
    whole = sum(lengths.values())
    return [100 * rows / whole for rows in binned(lengths, edges)]


def _between(sizes: Spread, least: int, most: int) -> int:
    return sum(clusters for size, clusters in sizes.items() if least <= size <= most)


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
