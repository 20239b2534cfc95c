"""
What was done and measured ─► the card of an adapted model, for machines and for people.

In:  the base, counts of texts, gains, settings.   Out: card.json and README.md beside the weights. Of the texts they
say how many, never what or where.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hanpuri import __version__
from hanpuri.compact.adapting.judging import CLEAN, OTHER, OWN, Gain
from hanpuri.compact.adapting.settings import AdaptSettings
from hanpuri.compact.adapting.texts import Found
from hanpuri.compact.model_files import ModelFiles
from hanpuri.runs.files import write_json, write_whole

NAMES = {OWN: "own texts, obfuscated", CLEAN: "own texts, left as they are", OTHER: "other prose, obfuscated"}
README = """# {name}

The model `{base}` of hanpuri, adapted to the texts of one user with `hanpuri adapt` on {date}.

It restores Korean that was obfuscated in the manner of the public web generator, best where it is about what those
texts are about. All that the card of `{base}` says of its use, its architecture and its failures holds for it too.

## Scores

{scores}

`char_accuracy` with the interval of the difference (paired bootstrap over texts, 95 %), of the quantised files.
Own texts: {held_out:,} that were kept apart, whole, and share no 15 syllables in a row with one that was learnt from.
Other prose: {general}

## How it was made

From {learnt:,} texts with {syllables:,} syllables, clean, obfuscated anew at every step. {items:,} characters were read
in {seconds:,.0f} seconds on {device}; {share:.0%} of the way from the old weights to the learnt ones was gone.
Settings: {settings}. hanpuri {version}.

The texts are not in this folder. But weights remember, and so do the hashes of runs of characters in `phrases.npz`: who
asks cleverly may learn which words they hold. Give the model only to those who may know the texts.
"""
OTHER_TEXTS = "105 sentences about all and everything, in four noisy forms each, which nothing was learnt from."


def write_card(
    files: ModelFiles,
    name: str,
    base: ModelFiles,
    found: Found,
    gains: Mapping[str, Gain],
    settings: AdaptSettings,
    learnt: Mapping[str, Any],
) -> None:
    """
    Write both cards.

    Args:
        files: the model that is described.
        name: what it will be called.
        base: what it was made from.
        found: what stood in the user's files.
        gains: what was gained, by question.
        settings: what was asked for.
        learnt: `steps`, `items`, `seconds` and `device`.
    """
    now = datetime.now(UTC).date().isoformat()
    counts = {key: value for key, value in found.as_dict().items() if key != "unknown"}
    origin = {"base": _origin(base), "adapted_on": now, "texts": counts, "learnt": dict(learnt)}
    figures = {key: gain.as_dict() for key, gain in gains.items()}
    scores = {"char_accuracy": {key: gain.as_dict()["after"] for key, gain in gains.items()}}
    write_json(files.folder / "card.json", {**scores, **origin, "gains": figures, "settings": settings.model_dump()})
    told = README.format(
        name=name,
        base=base.name,
        date=now,
        scores=table_of(gains),
        held_out=found.held_out,
        general=OTHER_TEXTS,
        learnt=found.learnt,
        syllables=found.syllables,
        items=learnt["items"],
        seconds=learnt["seconds"],
        device={"cpu": "the processor", "cuda": "a GPU"}[learnt["device"]],
        share=settings.share,
        settings=", ".join(f"{key} {value}" for key, value in settings.model_dump(exclude_none=True).items()),
        version=__version__,
    )
    write_whole(files.folder / "README.md", told)


def _origin(base: ModelFiles) -> dict[str, str]:
    sums = (base.folder / "SHA256SUMS").read_text(encoding="utf-8").split()
    return {"name": base.name, "sha256": dict(zip(sums[1::2], sums[::2], strict=True)).get(base.network.name, "")}


def table_of(gains: Mapping[str, Gain]) -> str:
    """
    Lay the gains out as a Markdown table.

    >>> print(table_of({"own": Gain(0.9731, 0.9822, 0.0082, 0.0101)}))
    | texts | before | after | difference |
    |---|---:|---:|---:|
    | own texts, obfuscated | 0.9731 | 0.9822 | +0.0091 (+0.0082 to +0.0101) |
    """
    rows = [
        f"| {NAMES[name]} | {gain.before:.4f} | {gain.after:.4f} | {difference_of(gain)} |"
        for name, gain in gains.items()
    ]
    return "\n".join(["| texts | before | after | difference |", "|---|---:|---:|---:|", *rows])


def difference_of(gain: Gain) -> str:
    """
    Say what was gained, with its interval.

    >>> difference_of(Gain(0.5, 0.4, -0.2, 0.0))
    '-0.1000 (-0.2000 to +0.0000)'
    """
    return f"{gain.after - gain.before:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
