"""
What the report is made from: counts that the stages of `hanpuri prepare` fill in, and nothing of when or how fast.

In:  what each stage counted.   Out: one frozen `Facts`, the same page each time. A split in it:

    SplitFacts("train", rows=2, labels={"긍정": 2}, strata={}, lengths={14: 1, 37: 1})

Counts go by exact value (`lengths` says how many rows have each length), so that the counts of shards simply add up.
A part that was not looked at is None or empty, and the page leaves it out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Counts = Mapping[str, int]
Spread = Mapping[int, int]  # value ─► how often


@dataclass(frozen=True)
class SourceFacts:
    """What came from one source."""

    name: str
    rows: int
    faults: int = 0  # rows that could not be read and were left out
    notes: tuple[str, ...] = ()  # what to know, such as "reviews.csv: read as cp949", an encoding that was guessed


@dataclass(frozen=True)
class StepFacts:
    """What one step of the preparation did, in the order of the steps."""

    step: str
    changed: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class Cluster:
    """Rows that are nearly the same: how many, how similar the least alike of the samples is, and some of them."""

    size: int
    similarity: float
    texts: tuple[str, ...]


@dataclass(frozen=True)
class DuplicateFacts:
    """Rows that stand there more than once, exactly or nearly; the first of each was kept."""

    exact: int = 0
    near: int = 0
    sizes: Spread = field(default_factory=dict)  # size of a cluster ─► clusters of that size
    largest: tuple[Cluster, ...] = ()


@dataclass(frozen=True)
class OverlapFacts:
    """Rows left out because they share text with an evaluation file, and pieces that they share."""

    file: str
    rows: int
    windows: tuple[str, ...] = ()


@dataclass(frozen=True)
class SplitFacts:
    """One split that the recipe asks for, also when no row came into it."""

    name: str
    rows: int
    labels: Counts = field(default_factory=dict)
    strata: Counts = field(default_factory=dict)  # what it is stratified by ─► rows
    lengths: Spread = field(default_factory=dict)  # characters ─► rows


@dataclass(frozen=True)
class AugmentationFacts:
    """Noisy copies of training rows; `rules` says how often each rule was seen in the `pairs` that were looked at."""

    copies: int
    missing: int = 0  # asked for and not made: the text has no further noisy form
    profiles: Counts = field(default_factory=dict)
    strengths: Counts = field(default_factory=dict)  # such as "0.3 to 0.4" ─► copies
    pairs: int = 0
    rules: Counts = field(default_factory=dict)


@dataclass(frozen=True)
class TokenizerAudit:
    """What a tokenizer makes of texts: counts over `texts` texts."""

    texts: int
    characters: int
    syllables: int
    tokens: int
    byte_tokens: int
    unknown_tokens: int
    lost_characters: int  # U+FFFD that a round trip puts where there was none
    exact: int  # texts that a round trip gives back as they were

    @property
    def tokens_per_syllable(self) -> float:
        """Tokens for one Hangul syllable, spaces and all else counted in; 0 where there is no syllable."""
        return self.tokens / self.syllables if self.syllables else 0.0

    @property
    def byte_share(self) -> float:
        """Share of the tokens that stand for a part of a character."""
        return self.byte_tokens / self.tokens if self.tokens else 0.0

    @property
    def exact_share(self) -> float:
        """Share of the texts that come back as they were."""
        return self.exact / self.texts if self.texts else 1.0


@dataclass(frozen=True)
class TokenFacts:
    """What one tokenizer makes of the training rows: lengths of whole examples, template and all, and its audit."""

    tokenizer: str
    vocabulary: int
    lengths: Spread  # tokens in an example ─► examples, also those that were dropped, and before they were cut
    max_length: int
    too_long: Literal["error", "drop", "truncate"]
    dropped: int = 0
    truncated: int = 0
    clean: TokenizerAudit | None = None
    noisy: TokenizerAudit | None = None


@dataclass(frozen=True)
class Opening:
    """A begin that texts share."""

    text: str
    rows: int


@dataclass(frozen=True)
class TextMeasures:
    """How varied texts are, over `looked_at` of `rows` of them; see `hanpuri.data.quality.measures`."""

    rows: int
    looked_at: int
    characters: int
    empty: int
    distinct_words: tuple[float, float, float]  # distinct-1, -2, -3
    distinct_syllables: tuple[float, float, float]
    compared: int  # texts whose nearest neighbour was looked for
    self_similarity: float | None  # None below two texts
    first_words: tuple[Opening, ...]
    first_characters: tuple[Opening, ...]


@dataclass(frozen=True)
class ResponseMeasures:
    """How responses compare with what they answer, over all rows."""

    rows: int
    empty: int
    much_longer: int
    preferred_longer: int | None = None  # rows whose chosen response is longer than the rejected one
    known: Counts = field(default_factory=dict)  # a split beside train ─► its rows whose response stands in train, too


@dataclass(frozen=True)
class Facts:
    """All that the report tells."""

    name: str
    form: str  # what a row is in the end
    seed: int
    sources: tuple[SourceFacts, ...]
    steps: tuple[StepFacts, ...]
    splits: tuple[SplitFacts, ...]
    findings: Counts = field(default_factory=dict)  # rows with "replacement", "mojibake", "masked phone", …
    duplicates: DuplicateFacts = DuplicateFacts()
    overlaps: tuple[OverlapFacts, ...] = ()
    leaks: Counts = field(default_factory=dict)  # such as "train and test" ─► rows that stood in both
    augmentation: AugmentationFacts | None = None
    tokens: tuple[TokenFacts, ...] = ()
    diversity: Mapping[str, TextMeasures] = field(default_factory=dict)  # a field such as "output" ─► its measures
    responses: ResponseMeasures | None = None

    @property
    def rows_read(self) -> int:
        """Rows that came from the sources, those with a fault not counted."""
        return sum(source.rows for source in self.sources)
