"""
What is wrong with a training set, in plain words, each with the mend.

In:  the facts of a report.   Out: warnings, the ones that spoil a training or a score first:

    Warned("rows_too_long", "12.0 % of the examples are over 1,024 tokens (llama) and would be cut",
           "raise examples.max_length to 2048, or set examples.too_long to drop")

A rule is a function below and a row in `RULES`. The limits are rules of thumb; each stands above with its reason.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hanpuri.data.quality.facts import Facts, SplitFacts, TokenizerAudit
from hanpuri.data.quality.lengths import share_over
from hanpuri.noise.rules import RULES as RULES_OF_NOISE
from hanpuri.pages.page import Share, figure

FEW_ROWS = 100  # fewer are learnt by heart
MANY_ALIKE = 0.3  # share of texts that begin alike: a model will begin each of its texts so
RARE_LABEL = 0.01  # a label that is rarer can hardly be learnt, nor measured
COMMON_STRATUM = 0.01  # a rarer one may miss a small split by chance
MANY_NEAR = 0.2  # share of the rows read: more tells of a source that was copied together
MANY_BYTES = 0.05  # share of the tokens: more makes Korean long, and wrong characters likely
MANY_DROPPED = 0.5  # by one step: more tells of a wrong setting
MANY_LONGER = 0.01  # in pairs both texts have one length as a rule
MANY_PREFERRED_LONGER = 0.7  # one in two would be chance; more, and a model learns to be long
MANY_KNOWN = 0.1  # of the responses of a split; more, and its score tells what was learnt by heart
MANY_MISSING = 0.1  # of the noisy copies
SELF_SIMILAR = 0.5  # mean likeness to the nearest neighbour

Found = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Warned:
    """One thing to know before training: the rule that saw it, what it saw, and the mend."""

    rule: str
    message: str
    mend: str


def find_warnings(facts: Facts) -> tuple[Warned, ...]:
    """Ask every rule, in the order in which the report shows them."""
    return tuple(Warned(rule.__name__, *found) for rule in RULES for found in rule(facts))


def evaluation_overlap(facts: Facts) -> Found:
    """Text of an evaluation file stood among the rows."""
    for overlap in facts.overlaps:
        if overlap.rows:
            yield (
                f"{_rows(overlap.rows)} shared text with {overlap.file}: left out",
                "look at the samples below; where whole texts are shared, leave out the source that they come from",
            )


def leaks_between_splits(facts: Facts) -> Found:
    """What one split asks, another asks, too."""
    for between, rows in facts.leaks.items():
        if rows:
            weaker, _, stronger = between.partition(" and ")
            yield (
                f"{_rows(rows)} of {weaker} had the question or the group of a row of {stronger}: left out",
                "if they are many, give rows that belong together one group, or let a source fill one split alone",
            )


def split_is_empty(facts: Facts) -> Found:
    """A split that was asked for has no row."""
    for split in facts.splits:
        if not split.rows:
            how = "look below for the step that takes them" if split.name == "train" else f"raise split.{split.name}"
            yield f"the {split.name} split has no rows", f"add rows, or {how}"


def train_is_small(facts: Facts) -> Found:
    """There is hardly anything to learn from."""
    for split in facts.splits:
        if split.name == "train" and 0 < split.rows < FEW_ROWS:
            found = f"the train split has {_rows(split.rows)}, under {FEW_ROWS}: a model learns them by heart"
            yield found, "add rows, or look below for the step that takes them"


def stratum_without_rows(facts: Facts) -> Found:
    """A length or label that is common in training is missing in another split."""
    train = next((split for split in facts.splits if split.name == "train"), SplitFacts("train", 0))
    learnt = {name for name, rows in train.strata.items() if rows >= COMMON_STRATUM * train.rows > 0}
    for split in facts.splits:
        missing = sorted(name for name in learnt if not split.strata.get(name))
        if split.rows and missing:
            found = f"the {split.name} split has no row of {_listed(missing)}, which is common in training"
            yield found, f"raise split.{split.name}, or add such rows"


def rows_too_long(facts: Facts) -> Found:
    """Examples do not fit."""
    for tokens in facts.tokens:
        if not (over := share_over(tokens.lengths, tokens.max_length)):
            continue
        lost = {"error": "would stop the training", "drop": "would be left out", "truncate": "would be cut"}
        other = {
            "error": "set examples.too_long to drop",
            "drop": "split the long rows",
            "truncate": "set examples.too_long to drop",
        }
        enough = 1 << (max(tokens.lengths) - 1).bit_length()
        yield (
            f"{_share(over)} of the examples are over {tokens.max_length:,} tokens ({tokens.tokenizer}) and "
            + lost[tokens.too_long],
            f"raise examples.max_length to {enough}, or {other[tokens.too_long]}",
        )


def tokenizer_loses_text(facts: Facts) -> Found:
    """A text is not the same after a round trip."""
    for tokens in facts.tokens:
        for kind, audit in (("clean", tokens.clean), ("noisy", tokens.noisy)):
            if audit and (lost := _lost(audit)):
                found = f"the tokenizer {tokens.tokenizer} loses text: of {audit.texts:,} {kind} texts, {lost}"
                yield found, "take another tokenizer, or add the missing syllables to this one"


def many_byte_tokens(facts: Facts) -> Found:
    """Many syllables are spelled out in bytes."""
    for tokens in facts.tokens:
        audits = {"clean": tokens.clean, "noisy": tokens.noisy}
        shares = {kind: audit.byte_share for kind, audit in audits.items() if audit}
        if max(shares.values(), default=0) > MANY_BYTES:
            parts = " and ".join(f"{_share(part)} on {kind} text" for kind, part in shares.items())
            found = f"many tokens of {tokens.tokenizer} are mere bytes: {parts}"
            yield found, "take a tokenizer made for Korean, or add the missing syllables to this one"


def empty_responses(facts: Facts) -> Found:
    """There is nothing to learn in a row."""
    if facts.responses and facts.responses.empty:
        found = f"an empty response in {_rows(facts.responses.empty)}"
        yield found, "leave them out (clean.min_characters: 1), or fill them in"


def responses_much_longer(facts: Facts) -> Found:
    """The clean text of a pair is much longer than the noisy one: not its restoration, most likely."""
    longer = facts.responses.much_longer if facts.responses and facts.form == "pairs" else 0
    if facts.responses and longer > MANY_LONGER * facts.responses.rows:
        found = f"a clean text much longer than the noisy one in {_rows(longer)}"
        yield found, "check that noisy and clean are mapped to the right columns"


def responses_known(facts: Facts) -> Found:
    """What is asked in the test is new, but the answer is not."""
    sizes = {split.name: split.rows for split in facts.splits}
    for split, rows in facts.responses.known.items() if facts.responses else ():
        if rows > MANY_KNOWN * sizes.get(split, 0):
            yield (
                f"{_share(rows / sizes[split])} of the responses in {split} stand in train too, word for word",
                "trust a score on the other rows alone, or keep equal responses together: map group to their column",
            )


def preferred_are_longer(facts: Facts) -> Found:
    """A model would learn that longer is better."""
    longer = facts.responses.preferred_longer if facts.responses else None
    if facts.responses and longer and longer > MANY_PREFERRED_LONGER * facts.responses.rows:
        part = _share(longer / facts.responses.rows)
        found = f"in {part} of the rows the chosen response is the longer one: a model learns to be long"
        yield found, "add rows in which the shorter response is chosen"


def texts_begin_alike(facts: Facts) -> Found:
    """Many texts begin with the same words."""
    for name, measures in facts.diversity.items():
        for opening in measures.first_words[:1]:
            if opening.rows >= MANY_ALIKE * max(measures.looked_at, 1):
                part = _share(opening.rows / measures.looked_at)
                found = f"{part} of the texts in {name} begin with “{_shown(opening.text)}”"
                yield found, "vary them, or leave some of these rows out"


def texts_are_alike(facts: Facts) -> Found:
    """Most texts have a near neighbour."""
    for name, measures in facts.diversity.items():
        if measures.self_similarity is not None and measures.self_similarity > SELF_SIMILAR:
            found = f"the texts in {name} are much alike: {measures.self_similarity:.2f} to the nearest on average"
            yield found, "lower deduplicate.near.similarity, or add texts of other kinds"


def many_near_duplicates(facts: Facts) -> Found:
    """The sources hold much that is copied."""
    if facts.duplicates.near > MANY_NEAR * facts.rows_read:
        part = _share(facts.duplicates.near / facts.rows_read)
        found = f"{part} of the rows are nearly the same as another: left out"
        yield found, "look at the clusters below, and at where the source comes from"


def rare_labels(facts: Facts) -> Found:
    """A label is too rare to be learnt."""
    for split in facts.splits:
        total = sum(split.labels.values())
        rare = sorted(label for label, rows in split.labels.items() if rows < RARE_LABEL * total)
        if split.name == "train" and rare:
            found = f"under {100 * RARE_LABEL:.0f} % of the train rows each: the label {_listed(rare)}"
            yield found, "add such rows, or join rare labels to one"


def noise_rule_never_used(facts: Facts) -> Found:
    """A manner of noise that a model is not shown."""
    if facts.augmentation and facts.augmentation.pairs:
        unused = [rule.name for rule in RULES_OF_NOISE if not facts.augmentation.rules.get(rule.name)]
        if unused:
            pairs = f"{facts.augmentation.pairs:,} noisy copies"
            yield (
                f"in {pairs} no change needs the rule {_listed(unused)}",
                "add another profile or strength to augment.mix",
            )


def copies_missing(facts: Facts) -> Found:
    """Texts that cannot be made noisy in so many ways."""
    made = facts.augmentation
    if made and made.missing > MANY_MISSING * (made.copies + made.missing):
        part = _share(made.missing / (made.copies + made.missing))
        found = f"{part} of the noisy copies could not be made: short texts have few noisy forms"
        yield found, "lower augment.copies, or raise clean.min_characters"


def step_drops_most(facts: Facts) -> Found:
    """One step takes most of the rows."""
    left = facts.rows_read
    for step in facts.steps:
        if step.dropped > MANY_DROPPED * left:
            found = f"the step {step.step} left out {_share(step.dropped / left)} of the rows that came to it"
            yield found, "check its setting"
        left -= step.dropped


def broken_characters(facts: Facts) -> Found:
    """Text that was read in a wrong encoding once."""
    if rows := facts.findings.get("mojibake"):
        found = f"text that was once read in a wrong encoding in {_rows(rows)}"
        yield found, "give the right encoding of the source, or set clean.mojibake to drop"
    if rows := facts.findings.get("replacement"):
        found = f"U+FFFD, the mark of a lost character, in {_rows(rows)}"
        yield found, "get the text from where it was whole, or set clean.replacement to drop"


def read_with_care(facts: Facts) -> Found:
    """An encoding was guessed, or rows could not be read."""
    for source in facts.sources:
        for note in source.notes:
            yield note, "look at these rows; then write the encoding into the recipe, or mend the file"


RULES: tuple[Callable[[Facts], Found], ...] = (
    *(evaluation_overlap, leaks_between_splits, split_is_empty, train_is_small, stratum_without_rows),
    *(rows_too_long, tokenizer_loses_text, many_byte_tokens),
    *(empty_responses, responses_much_longer, responses_known, preferred_are_longer),
    *(texts_begin_alike, texts_are_alike),
    *(many_near_duplicates, rare_labels, noise_rule_never_used, copies_missing, step_drops_most),
    *(broken_characters, read_with_care),
)


def _lost(audit: TokenizerAudit) -> str:
    """List what a round trip loses; that it changes white space alone, say, is lost text too."""
    parts = [
        (audit.unknown_tokens, f"{audit.unknown_tokens:,} unknown tokens"),
        (audit.lost_characters, f"{audit.lost_characters:,} U+FFFD"),
        (audit.texts - audit.exact, f"{audit.texts - audit.exact:,} that come back changed"),
    ]
    return ", ".join(said for number, said in parts if number)


def _share(value: float) -> str:
    return figure(Share(value))


def _rows(number: int) -> str:
    return f"{number:,} row" + ("s" if number != 1 else "")


def _shown(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"


def _listed(names: list[str]) -> str:
    more = len(names) - 5
    return ", ".join(map(_shown, names[:5])) + (f" and {more:,} more" if more > 0 else "")
