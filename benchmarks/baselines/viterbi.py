"""
Statistics and a search: which text would one write, and which noise would then have come of it.

In:  texts to count syllables in, and noise made from some of them to count letters in. Out: an engine:

    python -m benchmarks.baselines.viterbi --to runs/viterbi [--characters 50000000]

    {"noisy": "확잠실읾 념뭄 잙앙욤"}   ─►   Answer("화장실이 너무 작아요", 10, finished=True)

P(text) is that of `ngrams`. P(noisy | text) is a product over vowels and over joints: the generator moves letters
across the border of two syllables, so a tail and the lead that touches it are counted together, 532 pairs that become
532. A beam goes from left to right; of each syllable it tries those whose letters can have become what stands there.
"""

import argparse
import lzma
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.baselines.ngrams import BORDER, ORDER, Ids, NgramModel, fit_ngrams
from hanpuri.data.templates import Fields
from hanpuri.engines.base import GREEDY, Answer, Decoding
from hanpuri.errors import ModelError
from hanpuri.hangul import FIRST_SYLLABLE, LEADS, NUM_SYLLABLES, TAILS, VOWELS, code_points, split
from hanpuri.noise.obfuscate import obfuscate

NUM_LEADS, NUM_VOWELS, NUM_TAILS = len(LEADS), len(VOWELS), len(TAILS)
JOINTS = NUM_TAILS * NUM_LEADS
BEAM, CANDIDATES = 24, 32
RARE = 1e-4
"""A letter that becomes the noisy one less often is not tried."""
PRIOR = 2.0
"""How many joints the two letters by themselves are worth, where a joint was seen seldom."""
LANGUAGE, CHANNEL = "language.npz", "channel.npz"
CORPORA = ("nsmc", "kowiki", "comments", "klue_lodging", "lodging_written")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Channel:
    """What becomes of letters, as natural logarithms of probabilities."""

    leads: Floats
    """(19, 19) [clean, noisy]: also of leads that no syllable touches on their left."""
    vowels: Floats
    """(21, 21)"""
    tails: Floats
    """(28, 28)"""
    joints: npt.NDArray[np.float32]
    """(532, 532) a tail and the lead behind it, [clean, noisy]; the tail's place times 19 and the lead's."""

    def save(self, path: Path) -> None:
        """Write one file of arrays."""
        np.savez(path, leads=self.leads, vowels=self.vowels, tails=self.tails, joints=self.joints)

    @classmethod
    def load(cls, path: Path) -> "Channel":
        """Read what `save` wrote."""
        with np.load(path) as file:
            return cls(file["leads"], file["vowels"], file["tails"], file["joints"])


def fit_noise(pairs: Iterable[tuple[str, str]]) -> Channel:
    """Count what became of letters and joints in (noisy, clean) pairs of equal length."""
    leads, vowels, tails = (np.full((n, n), 1e-3) for n in (NUM_LEADS, NUM_VOWELS, NUM_TAILS))
    joints = np.zeros((JOINTS, JOINTS), np.float32)
    for noisy, clean in pairs:
        numbers = [code_points(side) - FIRST_SYLLABLE for side in (clean, noisy)]
        is_syllable = (numbers[0] >= 0) & (numbers[0] < NUM_SYLLABLES)
        (lead, vowel, tail), (noisy_lead, noisy_vowel, noisy_tail) = (
            split(np.where(is_syllable, side, 0)) for side in numbers
        )
        touches = is_syllable[:-1] & is_syllable[1:]
        left, right = np.flatnonzero(touches), np.flatnonzero(touches) + 1
        place = tail[left] * NUM_LEADS + lead[right], noisy_tail[left] * NUM_LEADS + noisy_lead[right]
        np.add.at(joints, place, 1)
        here = np.flatnonzero(is_syllable)
        np.add.at(leads, (lead[here], noisy_lead[here]), 1)
        np.add.at(vowels, (vowel[here], noisy_vowel[here]), 1)
        np.add.at(tails, (tail[here], noisy_tail[here]), 1)
    alone = [table / table.sum(1, keepdims=True) for table in (leads, vowels, tails)]
    expected = np.einsum("ab,cd->acbd", alone[2], alone[0]).reshape(JOINTS, JOINTS)
    seen = (joints + PRIOR * expected) / (joints.sum(1, keepdims=True) + PRIOR)
    return Channel(np.log(alone[0]), np.log(alone[1]), np.log(alone[2]), np.log(seen).astype(np.float32))


class ViterbiEngine:
    """A language model of counts and a channel of counts, as an engine. Made by `load` or from the two."""

    name = "viterbi"

    def __init__(self, language: NgramModel, channel: Channel, identity: str = "viterbi") -> None:
        self.language, self.channel, self.identity = language, channel, identity
        points = code_points(language.alphabet)
        numbers = points - FIRST_SYLLABLE
        known = np.flatnonzero((numbers >= 0) & (numbers < NUM_SYLLABLES))
        self.letters = tuple(split(numbers[known]))  # of the syllables of the alphabet
        self.known, self.points = known + 2, np.concatenate([[0, ord("\n")], points])
        self.likelihood = language.pairs[BORDER, self.known] * 0.5
        self._tried: dict[int, tuple[Ids, Floats]] = {}

    @classmethod
    def load(cls, folder: Path) -> "ViterbiEngine":
        """
        Load what `train` has left in a folder.

        Raises:
            ModelError: if a file is missing.
        """
        for name in (LANGUAGE, CHANNEL):
            if not (folder / name).is_file():
                found = f"{folder / name} is missing"
                raise ModelError(found, f"train it: python -m benchmarks.baselines.viterbi --to {folder}")
        identity = f"viterbi {folder} {(folder / LANGUAGE).stat().st_mtime_ns}"
        return cls(NgramModel.load(folder / LANGUAGE), Channel.load(folder / CHANNEL), identity)

    def prompt(self, row: Fields, name: str) -> str:
        """Give the noisy text of a row; see `Engine.prompt`."""
        return str(row["noisy"])

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        """Restore rows; see `Engine.generate`. Of `decoding` nothing applies: no token is drawn."""
        return [
            Answer(text, len(text), finished=True) for text in map(self.restore, (self.prompt(r, "") for r in rows))
        ]

    def restore(self, noisy: str) -> str:
        """Search the likeliest text of the same length; what is no syllable stays."""
        points = code_points(noisy)
        if not len(points):
            return noisy
        contexts = np.full((1, ORDER - 1), BORDER, np.int64)
        scores, tails = np.zeros(1), np.full(1, -1)
        steps: list[tuple[Ids, Ids]] = []
        before = -1  # the noisy tail on the left; −1 if no syllable touches
        for point, place in zip(points.tolist(), self.language.ids(noisy).tolist(), strict=True):
            number = point - FIRST_SYLLABLE
            if 0 <= number < NUM_SYLLABLES:
                characters, places, new, tails_here = self._syllable(number, point, place, before, tails)
                before = number % NUM_TAILS
            else:
                characters, places, tails_here = np.array([point]), np.array([place]), np.array([-1])
                new = self._ending(tails, before)[:, None]
                before = -1
            following = np.broadcast_to(places, (len(scores), len(places)))
            total = scores[:, None] + new + self.language.score(contexts, following)
            best = np.argpartition(-total.ravel(), min(BEAM, total.size) - 1)[:BEAM]
            parents, chosen = np.divmod(best, len(places))
            steps.append((parents, characters[chosen]))
            scores, tails = total.ravel()[best], tails_here[chosen]
            contexts = np.concatenate([contexts[parents, 1:], places[chosen][:, None]], 1)
        return _read_back(steps, int((scores + self._ending(tails, before)).argmax()))

    def _ending(self, tails: Ids, noisy_tail: int) -> Floats:
        """Score tails that no lead touches, of syllables that were chosen before, (B,)."""
        if noisy_tail < 0:
            return np.zeros(len(tails))
        ended: Floats = self.channel.tails[tails, noisy_tail]
        return ended

    def _syllable(self, number: int, point: int, place: int, before: int, tails: Ids) -> tuple[Ids, Ids, Floats, Ids]:
        """Give the candidates for a syllable: characters (K,), places (K,), scores (B, K), tails (K,)."""
        chosen, vowels = self._candidates(number)
        noisy_lead = number // (NUM_VOWELS * NUM_TAILS)
        if not len(chosen):  # nothing known can have become this: it stays
            stays = self._ending(tails, before)[:, None]
            return np.array([point]), np.array([place]), stays, np.array([number % NUM_TAILS])
        lead, _, tail = (letters[chosen] for letters in self.letters)
        if before < 0:
            joined = np.broadcast_to(self.channel.leads[lead, noisy_lead], (len(tails), len(chosen)))
        else:
            clean = tails[:, None] * NUM_LEADS + lead
            joined = self.channel.joints[clean, before * NUM_LEADS + noisy_lead]
        places = self.known[chosen]
        return self.points[places], places, joined + vowels, tail

    def _candidates(self, number: int) -> tuple[Ids, Floats]:
        """Find the syllables whose letters can have become these, the likeliest; with the scores of their vowels."""
        if number not in self._tried:
            noisy = [int(letter) for letter in split(np.array(number))]
            tables = self.channel.leads, self.channel.vowels, self.channel.tails
            logs = [table[letters, one] for table, letters, one in zip(tables, self.letters, noisy, strict=True)]
            able = np.flatnonzero(np.all([log > np.log(RARE) for log in logs], axis=0))
            weights = sum(log[able] for log in logs) + self.likelihood[able]
            best = able[np.argsort(-weights, kind="stable")[:CANDIDATES]]
            self._tried[number] = best, logs[1][best]
        return self._tried[number]


def _read_back(steps: list[tuple[Ids, Ids]], at: int) -> str:
    """Follow the parents from the last step to the first."""
    characters = []
    for parents, chosen in reversed(steps):
        characters.append(chr(int(chosen[at])))
        at = int(parents[at])
    return "".join(reversed(characters))


def read_texts(folder: Path, characters: int, rng: random.Random) -> Iterator[str]:
    """Give lines of the open corpora, of large ones a part, and the guests' reviews: about so many characters."""
    for name in CORPORA:
        for file in folder.glob(f"{name}.txt*"):
            with (lzma.open if file.suffix == ".xz" else open)(file, "rt", encoding="utf-8") as stream:
                lines = stream.read().split("\n")
            rng.shuffle(lines)
            left = characters * (0.5 if name == "kowiki" else 0.4)
            for line in lines:
                left -= len(line)
                if left < 0:
                    break
                yield line
    guests = Path("corpus/lodging_guests.txt")
    if guests.is_file():
        yield from guests.read_text(encoding="utf-8").split("\n")


def train(texts: Sequence[str], folder: Path, *, noise_characters: int = 2_000_000, seed: int = 0) -> ViterbiEngine:
    """Count syllables in all texts and letters in noise made from some of them; keep both in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    order, given, pairs = random.Random(seed).sample(range(len(texts)), len(texts)), 0, []
    for number in order:
        if given >= noise_characters:
            break
        made = obfuscate(texts[number], seed=f"{seed} {number}")
        pairs.append((made.noisy, made.clean))
        given += len(made.clean)
    fit_noise(pairs).save(folder / CHANNEL)
    fit_ngrams(texts).save(folder / LANGUAGE)
    return ViterbiEngine.load(folder)


def main() -> None:
    """Count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=Path("runs/viterbi"))
    parser.add_argument("--corpora", type=Path, default=Path("corpus/open"))
    parser.add_argument("--characters", type=int, default=50_000_000)
    told = parser.parse_args()
    texts = [text for text in read_texts(told.corpora, told.characters, random.Random(0)) if text]
    engine = train(texts, told.to)
    counts = ", ".join(f"{len(grams.keys):,} of {order}" for order, grams in enumerate(engine.language.longer, start=3))
    print(f"{told.to}: {sum(map(len, texts)):,} characters, alphabet of {engine.language.size:,}, n-grams: {counts}")


if __name__ == "__main__":
    main()
