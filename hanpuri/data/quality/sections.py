"""
The facts of a training set, section by section, as a page shows them.

In:  facts.   Out: sections of text, tables and plots, the warnings first. A row of a table there:

    "near duplicates"   dropped 1,204   left 198,796
"""

from collections.abc import Iterator, Mapping, Sequence

from hanpuri.data.quality.facts import Cluster, Counts, Facts, Opening, SplitFacts, TextMeasures, TokenFacts
from hanpuri.data.quality.figures import (
    draw_clusters,
    draw_labels,
    draw_lengths,
    draw_rules,
    draw_steps,
    draw_tokens,
    rows_left,
)
from hanpuri.data.quality.lengths import quantile, share_over
from hanpuri.data.quality.warnings import Warned
from hanpuri.pages.page import Cell, Notices, Numbers, Paragraph, Plots, RowText, Section, Share, Table
from hanpuri.pages.plots import Plot

MAX_LABEL_ROWS = 50
LIMITS = (512, 1024, 2048)
CALM = "Nothing stands out."


def sections(facts: Facts, warnings: Sequence[Warned]) -> Iterator[Section]:
    """Lay out all that there is to tell; what was not looked at has no section."""
    yield Section(
        "Warnings", (Notices(tuple((_sentence(one.message), _sentence(one.mend)) for one in warnings), CALM),)
    )
    yield _in_short(facts)
    yield _sources(facts)
    yield _steps(facts)
    yield _duplicates(facts)
    yield _splits(facts)
    if facts.augmentation:
        yield _noise(facts)
    if facts.tokens:
        yield _tokens(facts)
    if facts.diversity or facts.responses:
        yield _variety(facts)


def _in_short(facts: Facts) -> Section:
    numbers: list[tuple[str, Cell]] = [("rows read", facts.rows_read), ("rows kept", rows_left(facts)[-1][1])]
    counted = " (with copies)" if facts.augmentation else ""
    numbers += [(split.name + counted * (split.name == "train"), split.rows) for split in facts.splits]
    if facts.augmentation:
        numbers.append(("noisy copies", facts.augmentation.copies))
    return Section("In short", (Numbers(tuple(numbers)),))


def _sources(facts: Facts) -> Section:
    rows = tuple((source.name, source.rows, source.faults, "; ".join(source.notes) or "–") for source in facts.sources)
    head = ("source", "rows read", "faulty rows", "notes")
    return Section("Sources", (Table(head, rows),))


def _steps(facts: Facts) -> Section:
    left = [rows for _, rows in rows_left(facts)[1:]]
    rows = tuple((one.step, one.changed, one.dropped, rows) for one, rows in zip(facts.steps, left, strict=True))
    found = _counts(("found", "rows"), facts.findings, "What was seen in the texts")
    return Section(
        "Rows through the steps",
        (Plots((draw_steps(facts),)), Table(("step", "rows changed", "rows left out", "rows left"), rows), found),
    )


def _duplicates(facts: Facts) -> Section:
    found = facts.duplicates
    numbers: tuple[tuple[str, Cell], ...] = (
        ("rows the same as another", found.exact),
        ("rows nearly the same", found.near),
        ("clusters of such rows", sum(found.sizes.values())),
        ("asked in another split", sum(facts.leaks.values())),
    )
    overlaps = tuple((one.file, one.rows, tuple(map(RowText, one.windows)) or None) for one in facts.overlaps)
    leaks = _counts(("between", "rows"), facts.leaks, "Rows left out because another split asks the same")
    return Section(
        "Duplicates and overlap",
        (
            Numbers(numbers),
            *([Plots((draw_clusters(found.sizes),))] if found.sizes else []),
            Table(("rows", "likeness", "samples"), _cluster_rows(found.largest), "The largest clusters"),
            Table(
                ("file", "rows left out", "shared text"), overlaps, "Overlap with evaluation files", "no file was named"
            ),
            *([leaks] if facts.leaks else []),
        ),
    )


def _cluster_rows(clusters: Sequence[Cluster]) -> tuple[tuple[Cell, ...], ...]:
    return tuple((cluster.size, cluster.similarity, tuple(map(RowText, cluster.texts))) for cluster in clusters)


def _splits(facts: Facts) -> Section:
    labels = sorted({label for split in facts.splits for label in split.labels})
    plots: list[Plot] = []
    if any(split.lengths for split in facts.splits):
        plots.append(draw_lengths(facts.splits))
    if labels:
        plots.append(draw_labels(facts.splits))
    rows = tuple(_split_row(split) for split in facts.splits)
    head = ("split", "rows", "shortest", "median", "95th percentile", "longest")
    blocks = [Table(head, rows, "Lengths in characters")]
    for title, name, counts in (
        ("Rows by label", "label", {split.name: split.labels for split in facts.splits}),
        ("Rows by what the splits were dealt out by", "kind", {split.name: split.strata for split in facts.splits}),
    ):
        if any(counts.values()):
            blocks.append(_crossed(name, counts, title))
    return Section("Splits", (*([Plots(tuple(plots))] if plots else []), *blocks))


def _split_row(split: SplitFacts) -> tuple[Cell, ...]:
    if not split.lengths:
        return split.name, split.rows, None, None, None, None
    spread = split.lengths
    return split.name, split.rows, min(spread), quantile(spread, 0.5), quantile(spread, 0.95), max(spread)


def _noise(facts: Facts) -> Section:
    made = facts.augmentation
    assert made is not None
    numbers: tuple[tuple[str, Cell], ...] = (("copies made", made.copies), ("copies missing", made.missing))
    looked = f"The rules were counted in {made.pairs:,} copies." if made.pairs else "The rules were not counted."
    return Section(
        "Noise",
        (
            Numbers(numbers),
            Paragraph(looked),
            *([Plots((draw_rules(made.rules),))] if any(made.rules.values()) else []),
            _counts(("rule", "times"), made.rules, "Changes by rule"),
            _counts(("profile", "copies"), made.profiles, "Copies by profile"),
            _counts(("strength", "copies"), made.strengths, "Copies by strength", by_name=True),
        ),
    )


def _tokens(facts: Facts) -> Section:
    plots = [draw_tokens(facts.tokens)] if any(tokens.lengths for tokens in facts.tokens) else []
    over = tuple(f"over {limit:,}" for limit in LIMITS)
    lengths = Table(
        ("tokenizer", "vocabulary", "examples", "median", "longest", *over, "over max_length", "left out", "cut"),
        tuple(_length_row(tokens) for tokens in facts.tokens),
        "Tokens in an example",
    )
    audits = Table(
        (
            "tokenizer",
            "texts",
            "looked at",
            "tokens a syllable",
            "bytes in 1,000",
            "unknown",
            "U+FFFD",
            "come back whole",
        ),
        tuple(row for tokens in facts.tokens for row in _audit_rows(tokens)),
        "What each tokenizer makes of the text",
        "no text was looked at",
    )
    return Section("Tokens", (*([Plots(tuple(plots))] if plots else []), lengths, audits))


def _length_row(tokens: TokenFacts) -> tuple[Cell, ...]:
    spread = tokens.lengths
    over: list[Cell] = [Share(share_over(spread, limit)) for limit in (*LIMITS, tokens.max_length)]
    return (
        *(tokens.tokenizer, tokens.vocabulary, sum(spread.values()), quantile(spread, 0.5), max(spread, default=0)),
        *(*over, tokens.dropped, tokens.truncated),
    )


def _audit_rows(tokens: TokenFacts) -> Iterator[tuple[Cell, ...]]:
    for kind, audit in (("clean", tokens.clean), ("noisy", tokens.noisy)):
        if audit:
            yield (
                *(tokens.tokenizer, kind, audit.texts, audit.tokens_per_syllable, 1000 * audit.byte_share),
                *(audit.unknown_tokens, audit.lost_characters, Share(audit.exact_share)),
            )


def _variety(facts: Facts) -> Section:
    blocks: list[Paragraph | Table] = []
    if facts.diversity:
        blocks += [Paragraph(_looked_at(facts.diversity)), _variety_table(facts.diversity)]
    for name, measures in facts.diversity.items():
        blocks += [
            _openings(measures.first_words, measures.looked_at, f"Most frequent first two words in {name}"),
            _openings(measures.first_characters, measures.looked_at, f"Most frequent first ten characters in {name}"),
        ]
    if found := facts.responses:
        counts = {"empty": found.empty, "much longer than the prompt": found.much_longer}
        if found.preferred_longer is not None:
            counts["chosen is longer than rejected"] = found.preferred_longer
        counts |= {f"of {split}, word for word in train too": rows for split, rows in found.known.items()}
        blocks.append(_counts(("responses", "rows"), counts, f"Responses, of {found.rows:,} rows in train"))
    return Section("Variety", tuple(blocks))


def _variety_table(diversity: Mapping[str, TextMeasures]) -> Table:
    fields = diversity.values()
    rows: list[tuple[Cell, ...]] = []
    for n in range(3):
        rows.append((f"distinct-{n + 1}, words", *(one.distinct_words[n] for one in fields)))
    for n in range(3):
        rows.append((f"distinct-{n + 1}, syllables", *(one.distinct_syllables[n] for one in fields)))
    rows.append(("self-similarity", *(one.self_similarity for one in fields)))
    rows.append(("empty texts", *(one.empty for one in fields)))
    return Table(("measure", *diversity), tuple(rows), "How varied the texts are")


def _looked_at(diversity: Mapping[str, TextMeasures]) -> str:
    looked = ", ".join(f"{one.looked_at:,} of {one.rows:,} texts in {name}" for name, one in diversity.items())
    return (
        f"Looked at: {looked}. distinct-n is the share of different n-grams, 1 where none stands twice; it falls as "
        "there are more texts. Self-similarity is the mean likeness of a text to its nearest neighbour among up to "
        f"{max(one.compared for one in diversity.values()):,} texts, 1 where each has a twin."
    )


def _openings(openings: Sequence[Opening], looked_at: int, caption: str) -> Table:
    rows = tuple((RowText(one.text), one.rows, Share(one.rows / looked_at)) for one in openings)
    return Table(("begin", "rows", "share"), rows, caption, "no two texts begin alike")


def _counts(head: tuple[str, str], counts: Counts, caption: str, by_name: bool = False) -> Table:
    rows: list[tuple[Cell, ...]] = [(name, counts[name]) for name in sorted(counts)]
    if not by_name:
        rows = [(name, counts[name]) for name in sorted(counts, key=lambda name: (-counts[name], name))]
    return Table(head, tuple(rows), caption)


def _crossed(name: str, counts: Mapping[str, Counts], caption: str) -> Table:
    """One row a name, one column a split; the most frequent first."""
    totals = {key: sum(one.get(key, 0) for one in counts.values()) for one in counts.values() for key in one}
    frequent = sorted(totals, key=lambda key: (-totals[key], key))[:MAX_LABEL_ROWS]
    rows: list[tuple[Cell, ...]] = [(RowText(key), *(one.get(key, 0) for one in counts.values())) for key in frequent]
    if len(totals) > len(frequent):
        caption += f", the {len(frequent)} most frequent of {len(totals):,}"
    return Table((name, *counts), tuple(rows), caption)


def _sentence(text: str) -> str:
    """Make a sentence of it; a file's name at its begin stays as it is."""
    begins_with_word = text.partition(" ")[0].isalpha()
    return (text[:1].upper() + text[1:] if begins_with_word else text) + "."
