"""
A language model's say: where the restorer was not sure, the reading that makes the likeliest text.

In: a text with unsure syllables, and a model that tells how likely a text is. Out: for each of them the reading by
which the whole text becomes likelier by `margin` nats or more; others stay.

    "창문을 열면 바로 압이 …"  ─►  "창문을 열면 바로 앞이 …"
"""

from collections.abc import Mapping, Sequence

from hanpuri.data.templates import Fields
from hanpuri.engines.base import Engine, PromptedEngine, ScoringEngine
from hanpuri.errors import DataError, EngineError
from hanpuri.evaluation.postprocessing.texts import Restored
from hanpuri.hangul import is_syllable
from hanpuri.noise.channel import feasible_originals

MAX_PLACES = 3
"""Syllables of a text that are looked at: the least sure ones."""
MAX_READINGS = 8
"""Readings of a syllable: the commonest feasible originals."""


def rescore(
    texts: Sequence[Restored],
    engine: Engine,
    syllables: Mapping[str, int],
    *,
    below: float,
    margin: float,
    profile: str = "airbnb",
) -> list[Restored]:
    """
    Let a model choose among readings, a syllable at a time, the least sure first.

    Args:
        texts: restored texts with confidences.
        engine: the model; it is asked as it restores, or, where it was trained on running text, for the text alone.
        syllables: how often each stands in clean texts: the commonest readings are tried.
        below: only syllables of which the restorer is less sure.
        margin: how much likelier, in nats, the text has to become.
        profile: the noise.

    Raises:
        EngineError: if the engine does not tell how likely a text is.
    """
    if not isinstance(engine, ScoringEngine):
        found = f"{engine.name} does not tell how likely a text is, which rescoring needs"
        raise EngineError(found, "take a model of transformers")
    return [_rescored(text, engine, engine, syllables, below, margin, profile) for text in texts]


def _rescored(
    restored: Restored,
    engine: Engine,
    scorer: ScoringEngine,
    syllables: Mapping[str, int],
    below: float,
    margin: float,
    profile: str,
) -> Restored:
    """Look at one text; one that the model has no room for stays as it is."""
    for place in _unsure(restored, below):
        readings = _readings(restored, place, syllables, profile)
        rows = [_row(engine, restored)] * len(readings)
        try:
            stays, *others = (found.log_probability for found in scorer.score(rows, readings))
        except DataError:
            return restored
        best = max(range(len(others)), key=others.__getitem__, default=0)
        if others and others[best] > stays + margin:
            restored = restored.with_text(readings[1 + best])
    return restored


def _unsure(restored: Restored, below: float) -> list[int]:
    """Find the least sure syllables; none in a text that does not stand place by place under the noisy one."""
    if len(restored.noisy) != len(restored.text):
        return []
    both = zip(restored.confidence, restored.text, strict=True)
    found = sorted((sure, at) for at, (sure, one) in enumerate(both) if sure < below and is_syllable(one))
    return [at for _, at in found[:MAX_PLACES]]


def _readings(restored: Restored, place: int, syllables: Mapping[str, int], profile: str) -> list[str]:
    """Write the text as it is, and with each of the commonest readings of one syllable."""
    feasible = feasible_originals(restored.noisy, profile)[place] - {restored.text[place]}
    common = sorted(feasible, key=lambda syllable: (-syllables.get(syllable, 0), syllable))[:MAX_READINGS]
    return [restored.text[:place] + one + restored.text[place + 1 :] for one in (restored.text[place], *common)]


def _row(engine: Engine, restored: Restored) -> Fields:
    """Ask for the text alone where the model was trained on running text, else for the noisy text's restoration."""
    prompting = engine.prompting if isinstance(engine, PromptedEngine) else None
    return {"text": ""} if prompting is not None and prompting.form == "text" else {"noisy": restored.noisy}
