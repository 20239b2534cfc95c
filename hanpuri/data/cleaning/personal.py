"""
Personal data in a text ─► marks that say what stood there.

In: "예약은 010-1234-5678이나 stay@example.com으로" and the kinds to mask, such as ("phone", "email").
Out: "예약은 [전화번호]이나 [이메일]으로" and the counts {"email": 1, "phone": 1}.

A candidate is found by its shape and then checked: telephone numbers against the numbering plan (`phonenumbers`),
resident numbers by their date of birth, cards by their check digit (`stdnum`). Full-width digits and dashes count as
plain ones. Masked are Korean telephone numbers of every kind (mobile, land line, 1588 and the like, 070, 0505, with +82
too), not those of other countries; not masked are numbers in words (공일공), "(at)" for "@", names and addresses.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection
from typing import Literal, NamedTuple

Kind = Literal["email", "resident", "card", "phone"]

# Other ways to write a digit, a dash, a dot, a space or a bracket, each one character for one, so that places stay.
_PLAIN = str.maketrans(
    "０１２３４５６７８９－‐‑‒–—―−．＋（）＠＿％\u00a0\u2009\u202f\u3000",
    "0123456789--------.+()@_%    ",
)
_DIGITS = re.compile(r"(?:[0-9０-９][^0-9０-９]{0,4}){8}")

_EMAIL = re.compile(
    r"(?<![\w.%+-])[A-Za-z0-9_%+-][A-Za-z0-9_.%+-]*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,}",
    re.ASCII,
)

# No number begins behind a digit, or a digit and its dash or point; none goes on with these.
_BEFORE = r"(?<![0-9])(?<![0-9][-.])"
_AFTER = r"(?![0-9])(?![-.][0-9])"

_RESIDENT = re.compile(_BEFORE + r"([0-9]{6})(?: ?- ?| )?([1-8][0-9]{6})" + _AFTER)
_LAST_BIRTH_YEAR = 2039  # a fixed year and not today's, which would mask the same file differently next year

_CARD = re.compile(
    _BEFORE
    + r"(?:[0-9]{13,19}|[0-9]{4}([-. ])[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}|[0-9]{4}([-. ])[0-9]{6}\2[0-9]{4,5})"
    + _AFTER
)
# Lengths by first digits: the old Visa, Diners and American Express, all others. 20… is a date, not a card.
_CARD_LENGTHS = re.compile(r"4[0-9]{12}|3[0-9]{13,14}|(?:2[2-7]|[34569][0-9])[0-9]{14,17}")

_GAP = r"(?: ?[-.)~] ?| )?"
_PHONE = re.compile(
    _BEFORE
    + rf"(?:\(?(?:\+ ?|00)82\)?{_GAP}(?:\(0\) ?|0)?|82-0?|\(?(?P<trunk>0))[1-9][0-9]{{0,2}}{_GAP}"
    + rf"[0-9]{{3,4}}{_GAP}[0-9]{{4}}"
    + _AFTER
)
_BUSINESS = re.compile(_BEFORE + r"(1[568][0-9]{2})-([0-9]{4})" + _AFTER)
_COUNTRY = re.compile(r"(?:00)?820?")
_IN_A_NAME = re.compile(r"[A-Za-z_][-_]?$")


class _Mask(NamedTuple):
    """How one kind is found, checked and written."""

    patterns: tuple[re.Pattern[str], ...]
    accept: Callable[[re.Match[str]], bool]
    mark: str


def mask_personal(text: str, kinds: Collection[Kind]) -> tuple[str, Counter[Kind]]:
    """
    Replace personal data of these kinds by marks, and count them; a number is taken for one thing only.

    What is masked once stays: a second time changes nothing.

        >>> mask_personal("900101-1234567, 카드 4111 1111 1111 1111", ["phone", "resident", "card"])
        ('[주민등록번호], 카드 [카드번호]', Counter({'resident': 1, 'card': 1}))
        >>> mask_personal("2024-01-15에 120,000원", ["phone", "resident", "card", "email"])
        ('2024-01-15에 120,000원', Counter())

    Raises:
        ValueError: if there is no such kind.
    """
    counts: Counter[Kind] = Counter()
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise ValueError(f"there is no personal data of kind {unknown[0]!r}, expected {', '.join(KINDS)}")
    for kind in KINDS:
        if kind in kinds:
            masked = mask_kind(text, kind)
            if masked is not text:
                counts[kind] = masked.count(_MASKS[kind].mark) - text.count(_MASKS[kind].mark)
                text = masked
    return text, counts


def mask_kind(text: str, kind: Kind) -> str:
    """
    Replace personal data of one kind; gives the text itself back where there is none.

    >>> mask_kind("문의 ０２）１２３－４５６７", "phone")
    '문의 [전화번호]'
    """
    if kind == "email":
        if "@" not in text and "＠" not in text:
            return text
    elif not _DIGITS.search(text):
        return text
    before = None
    while text is not before:  # what stands before a number may itself be masked first, and then no longer hides it
        before = text
        for pattern in _MASKS[kind].patterns:
            text = _replace(text, pattern, _MASKS[kind])
    return text


def _replace(text: str, pattern: re.Pattern[str], mask: _Mask) -> str:
    plain = text if text.isascii() else text.translate(_PLAIN)
    pieces, done, place = [], 0, 0
    while found := pattern.search(plain, place):
        if mask.accept(found):
            pieces += [text[done : found.start()], mask.mark]
            done = place = found.end()
        else:
            place = found.start() + 1
    return "".join([*pieces, text[done:]]) if pieces else text


def _is_in_a_name(found: re.Match[str]) -> bool:
    """Say whether digits in one run stand behind a letter, as of an order or a file: A-0212345678, img01012345678."""
    return found[0].isdigit() and bool(_IN_A_NAME.search(found.string, max(0, found.start() - 2), found.start()))


def _is_resident(found: re.Match[str]) -> bool:
    """
    Check the date of birth, in the century that the seventh digit tells; 5 to 8 are residents from abroad.

    Since October 2020 the last digits are drawn by lot, so that a wrong check digit proves nothing; it decides only
    between a resident number and the bar code of a thing, where the number is written without a dash.
    """
    from stdnum import ean
    from stdnum.exceptions import ValidationError
    from stdnum.kr import rrn

    number = found[1] + found[2]
    if _is_in_a_name(found):
        return False
    try:
        born = rrn.get_birth_date(number)
    except ValidationError:
        return False
    if born.year > _LAST_BIRTH_YEAR:
        return False
    return len(found[0]) > len(number) or rrn.is_valid(number) or not ean.is_valid(number)


def _is_card(found: re.Match[str]) -> bool:
    from stdnum import luhn

    number = re.sub("[^0-9]", "", found[0])
    return not _is_in_a_name(found) and bool(_CARD_LENGTHS.fullmatch(number)) and luhn.is_valid(number)


def _is_phone(found: re.Match[str]) -> bool:
    if found.re is _BUSINESS:
        return _is_business(found)
    if _is_in_a_name(found):
        return False
    number = re.sub("[^0-9]", "", found[0])
    if found["trunk"] is None:
        number = "0" + _COUNTRY.sub("", number, count=1)
    return _is_in_numbering_plan(number)


def _is_business(found: re.Match[str]) -> bool:
    """Check a number such as 1588-1234, which has no area code; 1592-1598 are years, 1800-2400 a span of anything."""
    first, second = int(found[1]), int(found[2])
    is_span = first <= second <= 2100 or first % 100 == second % 10 == 0
    return not is_span and _is_in_numbering_plan(found[1] + found[2])


def _is_in_numbering_plan(number: str) -> bool:
    import phonenumbers

    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, "KR"))
    except phonenumbers.NumberParseException:
        return False


# In the order in which they are masked: a resident or card number is no telephone number.
_MASKS: dict[Kind, _Mask] = {
    "email": _Mask((_EMAIL,), lambda found: True, "[이메일]"),
    "resident": _Mask((_RESIDENT,), _is_resident, "[주민등록번호]"),
    "card": _Mask((_CARD,), _is_card, "[카드번호]"),
    "phone": _Mask((_PHONE, _BUSINESS), _is_phone, "[전화번호]"),
}
KINDS: tuple[Kind, ...] = tuple(_MASKS)
