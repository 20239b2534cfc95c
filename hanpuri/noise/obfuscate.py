"""
Profile + strength + seed ─► a noisy text and its edits: the door to the noise.

In:  "화장실이 너무 작아요".   Out: noisy="화창씰위 넉묵 작얇요", edits=(Edit(1, "장", "창"), Edit(2, "실", "씰"), …).
"""

import random
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

from hanpuri.noise.airbnb import MIDDLE, Sliders, generate
from hanpuri.noise.rules import letter_tables


class Edit(NamedTuple):
    """One character that changed: where it stands, what stood there before, what stands there now."""

    position: int
    before: str
    after: str


@dataclass(frozen=True)
class Obfuscation:
    """A clean text (in NFC), its noisy form of the same length, and the edits that lead there."""

    clean: str
    noisy: str

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The characters that changed, from left to right."""
        pairs = enumerate(zip(self.clean, self.noisy, strict=True))
        return tuple(Edit(position, before, after) for position, (before, after) in pairs if before != after)


def obfuscate(
    text: str,
    *,
    seed: int | str = 0,
    profile: str = "airbnb",
    sliders: Sliders = MIDDLE,
    ks_x_1001: bool = True,
    strength: float = 1.0,
) -> Obfuscation:
    """
    Obfuscate one text, reproducibly: the same text, settings and seed give the same noise on every machine.

    Args:
        text: any text; it is brought to NFC first.
        seed: which of the many noisy forms.
        profile: "airbnb", the public web generator, or "hand", the wider manner of people who do it by ear.
        sliders: the generator's four probabilities.
        ks_x_1001: make only syllables that KS X 1001 holds, as the web generator does.
        strength: the share of syllables that may change at all.

    Raises:
        ValueError: if the profile is unknown or a probability is outside 0 to 1.

    Example:
        >>> obfuscate("화장실이 너무 작아요", seed=1).noisy
        '확창실인 념문 짝앎오'
    """
    tables = letter_tables(profile)
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"the strength is {strength}; it is a share from 0 to 1")
    clean = unicodedata.normalize("NFC", text)
    # The text is part of the seed, so that equal seeds do not give parallel noise to different texts.
    rng = random.Random(f"{seed} {clean}".encode("utf-8", "surrogatepass"))
    active = [rng.random() < strength for _ in clean] if strength < 1.0 else None
    return Obfuscation(clean, generate(clean, rng, sliders, ks_x_1001=ks_x_1001, tables=tables, active=active))
