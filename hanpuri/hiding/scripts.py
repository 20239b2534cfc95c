"""
Hiding by other scripts: Latin letters, Hanja, English words, the keys of the other keyboard.

In:  a row of "수상해 망했어", a share of the syllables.   Out: the same row, written 水상해 mang했어.
"""

import random
from functools import cache

from hanpuri.hiding.cells import Row
from hanpuri.hiding.sounds import letters_of
from hanpuri.hiding.tables import hanja_of, read_table, readings


def _spellings(where: str) -> dict[str, str]:
    return {letter: spelled for letter, spelled, place in read_table("latin.tsv") if place == where}


# How letters are spelled in Latin ones, the usual spelling first; and their keys on the Korean keyboard (Dubeolsik).
LATIN_LEADS, LATIN_VOWELS, LATIN_TAILS, KEYS = (_spellings(where) for where in ("lead", "vowel", "tail", "key"))
# Hanja that everybody can read; the others of KS X 1001 come now and then.
EASY = (
    "二高刀海下多家四水恩無大五一口右金父心正米入長中生母上子人女學明八九出山愛火門小食百林三六七十土木日月川天王手足目耳文本不白石田力南北"
    "東西車主名市安全光空江國民外內年時間問道路電話氣車美英語先後前古今新老少男夫婦兄弟姉妹花草風雨雪星地球世界有無死病藥酒茶料理室堂店"
    "場市郡里洞區分半見聞行步走立坐休來去開閉始終買賣用作工事業商農漁軍兵戰爭平和自由公私法律政治經濟社會文化科學技術數字元萬千億身體頭面"
)


def write_hanja(row: Row, rng: random.Random, share: float) -> None:
    """Syllables as Hanja that are read so: 수상해 ─► 水상해."""
    easy, rare = _easy_hanja(), rng.random() < 0.35
    for place in range(len(row)):
        if rng.random() < share and row.is_plain(place):
            options = easy.get(row.noisy[place], ())
            if rare and (not options or rng.random() < 0.5):
                options = hanja_of(row.noisy[place])
            if options:
                row.noisy[place] = rng.choice(options)


@cache
def _easy_hanja() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for character in dict.fromkeys(EASY):
        for reading in readings().get(character, ""):
            found.setdefault(reading, []).append(character)
    return {reading: tuple(characters) for reading, characters in found.items()}


def write_latin(row: Row, rng: random.Random, share: float) -> None:
    """Syllables in Latin letters, or some of their letters so: 누나 ─► nuna, 게 ─► gㅔ."""
    mixed = rng.choice((0.0, 0.0, 0.5, 1.0))
    whole_words = rng.random() < 0.4
    share *= rng.choice((0.4, 0.4, 1.0))
    for start, end in row.words():
        word = rng.random() < share
        for place in range(start, end):
            if (word if whole_words else rng.random() < share) and row.is_plain(place):
                row.noisy[place] = in_latin(row.noisy[place], rng, mixed)


def in_latin(syllable: str, rng: random.Random, mixed: float) -> str:
    """
    Spell a syllable; with probability `mixed` only a part of its letters.

    >>> in_latin("망", random.Random(0), 0.0)
    'mang'
    """
    lead, vowel, tail = letters_of(syllable)
    begin, middle, end = _spell(LATIN_LEADS[lead], rng), _spell(LATIN_VOWELS[vowel], rng), ""
    if tail:
        end = _spell(LATIN_TAILS[tail], rng)
    if rng.random() < mixed:
        kind = rng.random()
        if kind < 0.7 and begin:
            middle, end = vowel, tail
        elif kind < 0.85:
            begin = lead
        elif end:
            end = tail
    return begin + middle + end


def _spell(spellings: str, rng: random.Random) -> str:
    first, *others = spellings.split("/")
    return rng.choice(others) if others and rng.random() < 0.3 else first


def write_meanings(row: Row, rng: random.Random, share: float) -> None:
    """Words by their meaning, in English or in English spelled in Hangul: 비싼 ─► 익스펜시브."""
    in_hangul = rng.random() < 0.6
    for start, end in reversed(row.words()):
        if rng.random() >= share * 1.5:
            continue
        word = "".join(row.noisy[start:end])
        for length in range(min(5, end - start), 0, -1):
            options = _meanings().get(word[:length])
            if options and len(word[:length]) == length and (length > 1 or end - start < 3):
                english, hangul = rng.choice(options)
                written = hangul if in_hangul and hangul else english
                row.replace(start, start + length, written.replace(" ", ""))
                break


@cache
def _meanings() -> dict[str, tuple[tuple[str, str], ...]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for korean, english, hangul in read_table("words.tsv"):
        found.setdefault(korean, []).append((english, hangul))
    return {word: tuple(options) for word, options in found.items()}


def write_keys(row: Row, rng: random.Random, share: float) -> None:
    """Words as they come out when the keyboard was left in Latin: 한글 ─► gksrmf."""
    for start, end in row.words():
        if rng.random() < share:
            for place in range(start, end):
                if row.is_plain(place):
                    row.noisy[place] = "".join(KEYS[letter] for letter in letters_of(row.noisy[place]) if letter)
