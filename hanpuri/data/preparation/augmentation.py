"""
Clean rows ─► noisy copies for training, each with what makes it again.

In:  "화장실이 너무 작아요", the id of its row, the mix of noise and a seed.   Out: such copies as

    noisy '활짱씰뤼 넒뭏 잘카오', copy 1, profile 'airbnb', strength 1.0, any_syllable False, seed '7/review-1/1/0'

No two copies of a row are alike and none is the clean text, but for the copy 0 that `unchanged` asks for. What is made
of a row depends on the seed, its id, its text and the settings alone: rows may be added, dropped and dealt out over
processes. Asking for more copies leaves the first ones as they are.
"""

import random
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from hanpuri.data.recipe import AugmentSettings, MixSettings
from hanpuri.hangul import is_syllable
from hanpuri.noise.obfuscate import obfuscate

MAX_DRAWS = 50  # for one copy: a short text at a low strength is often drawn as it was, and some have few noisy forms


class NoisyCopy(NamedTuple):
    """
    One noisy version of a text and what makes it again.

    `obfuscate(clean, seed=seed, profile=profile, strength=strength, ks_x_1001=not any_syllable).noisy` is `noisy`.
    Copies count from 1; copy 0 is the text itself, its strength is 0.
    """

    noisy: str
    copy: int
    profile: str
    strength: float
    any_syllable: bool
    seed: str


def noisy_copies(
    clean: str,
    id: str,
    settings: AugmentSettings,
    seed: int,
    num_copies: int | None = None,
    given: Sequence[str] = (),
) -> list[NoisyCopy]:
    """
    Make the noisy copies of one row; fewer than asked for where the text has no more noisy forms.

    Args:
        clean: the text, best in NFC, the form that the noise has.
        id: the id of its row: equal texts in two rows get noise of their own.
        settings: how many copies, in which mix of manners, and the share of rows that get an unchanged copy 0.
        seed: that of the recipe.
        num_copies: how many, if not the number in the settings.
        given: noisy texts that the row has already; none of them is made again.

    Example:
        >>> [made.noisy for made in noisy_copies("너무 작아요", "1", AugmentSettings(copies=2), 0)]
        ['념묵 착양오', '넌뮤 착악욥']
    """
    copies = _unchanged(clean, f"{seed}/{id}/0", settings)
    made = {clean, unicodedata.normalize("NFC", clean), *given}
    for copy in range(1, 1 + (settings.copies if num_copies is None else num_copies)):
        new = _draw_new(clean, f"{seed}/{id}/{copy}", copy, settings, made)
        if new is None:
            break
        copies.append(new)
        made.add(new.noisy)
    return copies


def _draw_new(clean: str, name: str, copy: int, settings: AugmentSettings, made: set[str]) -> NoisyCopy | None:
    """Draw manner, strength and noise until the text is new; None if it never is."""
    if not any(map(is_syllable, unicodedata.normalize("NFC", clean))):
        return None
    rng = _rng(name)
    weights = [mix.weight for mix in settings.mix]
    for draw in range(MAX_DRAWS):
        [mix] = rng.choices(settings.mix, weights)
        new = _make(clean, copy, mix, _strength(mix, rng), f"{name}/{draw}")
        if new.noisy not in made:
            return new
    return None


def _make(clean: str, copy: int, mix: MixSettings, strength: float, seed: str) -> NoisyCopy:
    result = obfuscate(clean, seed=seed, profile=mix.profile, strength=strength, ks_x_1001=not mix.any_syllable)
    return NoisyCopy(result.noisy, copy, mix.profile, strength, mix.any_syllable, seed)


def _strength(mix: MixSettings, rng: random.Random) -> float:
    """Three decimals are enough and can be read, as long as they stay within the bounds."""
    least, most = mix.strength
    return min(max(round(rng.uniform(least, most), 3), least), most)


def _unchanged(clean: str, name: str, settings: AugmentSettings) -> list[NoisyCopy]:
    """The copy 0, if the row is among those that get one."""
    return [_make(clean, 0, settings.mix[0], 0.0, name)] if _rng(name).random() < settings.unchanged else []


def _rng(name: str) -> random.Random:
    return random.Random(name.encode("utf-8", "surrogatepass"))
