"""
Text ─► text: the steps of cleaning that look at characters, each named as in the recipe.

In: "\\ufeff 맛있어요\\r\\n\\r\\n\\r\\n또 \\u200b 올게요 ".   Out, of all steps: "맛있어요\\n\\n또 올게요".

A step gives the text itself back if it has nothing to do, and never raises, whatever is in the text. Taken twice it
does what it does once. `nfc` comes behind `control_characters`, since what stood between two letters may be gone.
"""

import re
import unicodedata

# The control characters that end a line or part two words: to take them out would join what they part.
_LINE_ENDS = re.compile(r"\r\n?|[\v\f\x1c-\x1f\x85]")
_EMOJI = r"\u2190-\u2bff\U0001f000-\U0001faff"
_INVISIBLE = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and line feed
    r"\xad\u180e\u200b\u200c\u2060-\u2064\ufeff"  # soft hyphen, no width at all, byte order mark
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # direction of writing
    r"\u115f\u1160\u3164\uffa0"  # Hangul fillers: letters that show nothing
)
_REMOVED = re.compile(rf"[{_INVISIBLE}]|(?<![{_EMOJI}\ufe0f])\u200d|\u200d(?![{_EMOJI}])")
_HALF = re.compile(r"[\ud800-\udfff]")
_ANY = re.compile(rf"[{_INVISIBLE}\u200d]")

# So many marks on one letter no script has; the limit is that of Unicode's stream-safe text format (UAX #15, part 13).
_MAX_MARKS = 30
_MARKS = re.compile(rf"[^\x00-\x7f가-힣\w\s]{{{_MAX_MARKS + 1},}}")

_UNEVEN_SPACE = re.compile(r"\s{2,}|[^\S \n]")


def replacement(text: str) -> str:
    """
    Write U+FFFD, the sign of a lost character, for half of a surrogate pair, which no file can hold.

    >>> replacement("좋아요 \\ud83d") == "좋아요 \\ufffd"
    True
    """
    return _HALF.sub("\ufffd", text) if _HALF.search(text) else text


def control_characters(text: str) -> str:
    """
    Take out characters that show nothing: control and zero-width ones, marks of direction, Hangul fillers.

    Tab and line feed stay. "\\r\\n", "\\r" and the controls that part lines or words (U+000B, U+000C, U+001C to U+001F
    and U+0085) become a line feed. The joiner U+200D stays within an emoji.

        >>> control_characters("좋\\u200b아요\\r\\n👩\\u200d🚀") == "좋아요\\n👩\\u200d🚀"
        True
    """
    if not _ANY.search(text):
        return text
    return _REMOVED.sub("", _LINE_ENDS.sub("\n", text))


def nfc(text: str) -> str:
    """
    Join letters that are typed apart, as macOS writes them in file names (Unicode's normalisation form C).

    Of more than 30 combining marks in a row the first 30 stay: to sort 100,000 of them takes minutes.

        >>> nfc("\\u1112\\u1161\\u11ab글")
        '한글'
    """
    if text.isascii():
        return text
    text = _fewer_marks(text)
    joined = unicodedata.normalize("NFC", text)
    # A mark may be written as two, so that there can be more of them in the end.
    return text if joined == text else _fewer_marks(joined)


def _fewer_marks(text: str) -> str:
    return _MARKS.sub(_cut_marks, text) if _MARKS.search(text) else text


def _cut_marks(run: re.Match[str]) -> str:
    kept, num_marks = [], 0
    for character in run[0]:
        num_marks = num_marks + 1 if unicodedata.category(character)[0] == "M" else 0
        if num_marks <= _MAX_MARKS:
            kept.append(character)
    return "".join(kept)


def trim(text: str) -> str:
    """
    Take white space of every kind off both ends; that within stays as it is.

    >>> trim("\\u3000좋아요  또 올게요\\u00a0\\n")
    '좋아요  또 올게요'
    """
    return text.strip()


def collapse(text: str) -> str:
    """
    Trim, and make one space of each run of white space: of a run that breaks the line, one line feed or two.

    Every kind counts: tab, no-break space, ideographic space. U+2028 and U+2029 break the line; three line breaks
    and more are two, so that at most one line is blank.

        >>> collapse("좋아요\\u3000 또\\u00a0올게요 \\n \\n\\n 정말")
        '좋아요 또 올게요\\n\\n정말'
    """
    return _UNEVEN_SPACE.sub(_even_space, text.strip())


def _even_space(run: re.Match[str]) -> str:
    num_breaks = len(f"{run[0]}|".splitlines()) - 1
    return "\n" * min(num_breaks, 2) or " "


def lower_case(text: str) -> str:
    """
    Write the letters of all scripts small that have capitals.

    >>> lower_case("LG전자 ＴＶ")
    'lg전자 ｔｖ'
    """
    return text.lower()
