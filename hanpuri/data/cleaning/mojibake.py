"""
Text that was read in a wrong encoding: is this text one of those?

In: a text. Out: yes or no. The three ways in which Korean is spoilt, each with the 안녕하세요 that it was:

    "�븞�뀞�븯�꽭�슂", "?덈뀞?섏꽭??"   UTF-8 read as cp949, with lost bytes as U+FFFD or as "?"
    "ì•ˆë…•í•˜ì„¸ìš”"                      UTF-8 read as cp1252
    "¾È³çÇÏ¼¼¿ä"                          cp949 read as Latin-1

Nothing is repaired here: what is lost is lost, and the file is better read again in its own encoding. It is no fault to
be rare: hanja, kana, emoji, old letters and obfuscated Korean are none of these. A single spoilt syllable is not seen.
"""

import re
from functools import cache

from hanpuri.hangul import is_ks_x_1001

# ftfy looks at every character with a table of classes; nearly all texts can do without, as what it finds in them
# begins with two neighbours of these, or with one of the letters that open a Latin-1 character in UTF-8.
_LATIN = re.compile(r"[\x80-\u2bff]{2}|[ÂÃ]")
_LETTER = re.compile(r"[À-ÖØ-öø-ɏͰ-ӿ]")
_KOREAN_AS_LATIN = re.compile(r"[\xa1-\xfe]{4,}")

# The bytes of 가–힣 in UTF-8; or what is left of them behind a lost one, as far as cp949 makes a rare syllable of it.
_UTF_8 = re.compile(rb"[\xea-\xed][\x80-\xbf]{2}|\?[\x81-\xa0][\x80-\xbf]?")
_MIN_SYLLABLES = 2
_MIN_SHARE = 0.5


def mojibake(text: str) -> bool:
    """
    Say whether a text, or a word of it, was read in a wrong encoding.

    >>> mojibake("이 집 ¾È³çÇÏ¼¼¿ä 좋아요"), mojibake("�븞�뀞�븯�꽭�슂"), mojibake("ì•ˆë…•í•˜ì„¸ìš”")
    (True, True, True)
    >>> mojibake("뿨쒸 쩨밌엏욧ㅋㅋ 漢字 かな café"), mojibake("뭐?진짜?")
    (False, False)
    """
    return not text.isascii() and (_read_as_latin(text) or _read_as_cp949(text))


def _read_as_latin(text: str) -> bool:
    if not _LATIN.search(text):
        return False
    import ftfy.badness

    # Korean in UTF-8 always gives letters; only signs in a row, such as ‡‡, are somebody's footnote.
    words = [word for word in text.split(" ") if _LETTER.search(word) and _LATIN.search(word)]
    return any(map(ftfy.badness.is_bad, words)) or any(map(_is_korean, _KOREAN_AS_LATIN.findall(text)))


def _is_korean(run: str) -> bool:
    """Say whether Latin-1 characters in a row, not just ······, are the bytes of Hangul in cp949."""
    try:
        korean = run.encode("latin-1").decode("cp949")
    except UnicodeDecodeError:
        return False
    return len(set(run)) > 2 and all("가" <= character <= "힣" for character in korean)


def _read_as_cp949(text: str) -> bool:
    """
    Look for words that, back in bytes, are mostly UTF-8.

    A syllable has three bytes in UTF-8 and cp949 takes two at a time: so the first one of each two either begins a
    hanja or is lost. Ordinary Korean lines up like that for a syllable now and then, never for most of a word.
    """
    if not _spoilt_pair().search(text):
        return False
    for word in text.split():
        written = word.replace("\ufffd", "?").encode("cp949", "ignore")
        found = [piece for piece in _UTF_8.findall(written) if _is_plausible(piece)]
        num_bytes = sum(byte > 0x7F for byte in written)
        if len(found) >= _MIN_SYLLABLES and sum(byte > 0x7F for byte in b"".join(found)) >= _MIN_SHARE * num_bytes:
            return True
    return False


def _is_plausible(piece: bytes) -> bool:
    """Say whether bytes are the rest of a syllable, or a syllable that people write: chance makes the others too."""
    return piece.startswith(b"?") or is_ks_x_1001(piece.decode("utf-8", "replace"))


@cache
def _spoilt_pair() -> re.Pattern[str]:
    """Match one of the hanja that two bytes of a syllable make, or a lost character before a rare syllable."""
    hanja = _cp949_characters(range(0xEA, 0xEE), range(0xA1, 0xC0))
    rare = _cp949_characters(range(0x81, 0xA1), range(0x41, 0xFF))
    return re.compile(f"[{hanja}]|[?\ufffd][{rare}]")


def _cp949_characters(leads: range, trails: range) -> str:
    pairs = (bytes((lead, trail)) for lead in leads for trail in trails)
    return "".join(pair.decode("cp949", "ignore") for pair in pairs if pair[1] > 0x7F or chr(pair[1]).isalpha())
