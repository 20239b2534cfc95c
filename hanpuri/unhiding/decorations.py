"""
Signs that are put between words and syllables to hide them ─► nothing.

In:  "진짜 완¿전 ✧ ♡ 짜증 ≥ㅁ≤ 「나」".   Out: changes that make "진짜 완전 짜증 나" of it.

Signs have a sense of their own in most texts: ♥, ★, quotation marks, arrows, a mask as in 김○○. So they go only from
texts that show in several places that signs stand in them for nothing, or where one sign parts every syllable.
"""

import re
from collections.abc import Iterator

from hanpuri.unhiding.draft import Change

FACES = "≥.≤|ε[♡♥]з|∏-∏|T\\^T"
RARE = "〃∥✧✩✦✪◉◎◯◊◈♤♧≥≤∏‥¿¸˚˜´¯ˆ˛¨˙`┏┓┗┛┣┫┳┻╋┃、。．？❖✿❀✾❁♪♬♩☁☂☃✈☎☞☜♨¡※"
"""Nobody writes them amid a sentence, but to hide."""
COMMON = "★☆♥♡○●「」『』【】《》〈〉〔〕─◇◆□■△▲▽▼·ㆍ・|_~^*-.,!?¡¿‧•"
"""These have a sense of their own, too."""
HEARTS = "★☆♥♡"
SIGN = re.compile(f"(?:{FACES})|[{re.escape(RARE)}{HEARTS}○●「」『』【】《》〈〉〔〕─◇◆]")
CHAIN = re.compile(f"(?:{SIGN.pattern})(?: ?(?:{SIGN.pattern}))*")
AMID = re.compile(f"(?<=[가-힣])[{re.escape(RARE)}{HEARTS}]+(?=[가-힣])")
ANY = re.compile(f"{CHAIN.pattern}|(?<=[가-힣])[…1!·,'](?=[가-힣])")
"""What goes with them: also marks of every text, amid a word."""
SURELY = 3
"""Different signs that mean nothing, or places amid words, from which on a text is taken to hide by them."""

# One syllable, a sign, one syllable, …: the same sign at least three times.
PARTED = re.compile(
    f"(?<![가-힣])[가-힣](?:(?P<sign>[{re.escape(RARE + COMMON)}])[가-힣])(?:(?P=sign)[가-힣]){{2,}}(?![가-힣])"
)
LISTED = frozenset(
    "가나다라마바사아자차카타파하월화수목금토일동서남북상중하전후좌우대소남녀노소춘추봄여름을겨울갑을병정"
)
"""Syllables that lists are made of: 월·화·수·목, 가.나.다.라."""


def find_parting_signs(text: str) -> Iterator[Change]:
    """
    Find one sign that parts the syllables of a word, four or more.

        >>> [change[:3] for change in find_parting_signs("화.장.실.이 좁다. 월·화·수·목")]
        [(1, 2, ''), (3, 4, ''), (5, 6, '')]
    """
    for one in PARTED.finditer(text):
        syllables = set(one[0]) - {one["sign"]}
        if len(syllables) > 2 and not syllables <= LISTED:
            yield from (Change(at, at + 1, "", "between") for at in range(one.start() + 1, one.end(), 2))


def find_decorations(text: str) -> Iterator[Change]:
    """
    Find signs that were put in, if the text shows that they are nothing else.

        >>> [change[:3] for change in find_decorations("완¿전 ✧ ♡ 짜증 ≥ㅁ≤ 나")]
        [(1, 2, ''), (4, 8, ''), (11, 15, '')]
        >>> list(find_decorations("너무 좋아요 ♥♥ ★강추★"))
        []
    """
    if not _hides(text):
        return
    for one in ANY.finditer(text):
        start, end = one.span()
        # One of the two spaces goes with it, as it came.
        if text[end : end + 1] == " " and (start == 0 or text[start - 1] == " "):
            end += 1
        elif end == len(text) and text[max(0, start - 1) : start] == " ":
            start -= 1
        amid = start > 0 and end < len(text) and " " not in (text[start - 1], text[end - 1], text[end])
        yield Change(start, end, " " if amid and " " in one[0] else "", "symbol")


def _hides(text: str) -> bool:
    signs = {one[0] for one in SIGN.finditer(text)}
    rare = {sign for sign in signs if len(sign) > 1 or sign in RARE}
    amid = sum(1 for _ in AMID.finditer(text))
    return bool(rare) and len(rare) + amid + len(signs - rare) / 3 >= SURELY
