"""
Scores of answers: the F1 of what an answer and its reference have in common, in any order; a mean over rows.

In:  ["한강은 서해로 흐릅니다"], ["서해로 흐릅니다"].   Out: token_f1 0.8, josa_f1 0.8, korquad_f1 0.824.

What a token is makes the difference, so each way has a name of its own:

    token_f1     what stands between white space, as it is
    squad_f1     as SQuAD's script: lower case, no ASCII punctuation, no articles (a, an, the)
    josa_f1      as squad_f1, and Korean particles are taken off: 서해로 and 서해 are the same token
    korquad_f1   as KorQuAD 1.0: characters in place of tokens

Two texts that both hold no token are the same: 1, as in SQuAD 2.0; if one of them holds none, 0.
"""

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence

from hanpuri.evaluation.metrics.tallies import pooled, tally_rows
from hanpuri.hangul import decompose, is_syllable

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)
KORQUAD_MARKS = str.maketrans("", "", "'\"《》<>〈〉()‘’“”「」『』")

# Particles by what the noun before them ends in, where that decides their form.
JOSA_AFTER_TAIL = frozenset(
    (
        *("이라는", "으로는", "으로도", "으로써", "으로서", "이라고", "이라도"),
        *("으로", "이랑", "이나", "이란", "은", "이", "을", "과", "아"),
    )
)
JOSA_AFTER_VOWEL = frozenset(
    (
        *("로는", "로도", "로써", "로서", "라는", "라고", "라도"),
        *("로", "랑", "나", "란", "는", "가", "를", "와", "야"),
    )
)
JOSA_AFTER_ANY = frozenset(
    (
        *("에서는", "에서도", "에게서", "까지는", "에서", "에게", "에는", "에도", "에만", "한테", "께서", "까지"),
        *("부터", "보다", "처럼", "만큼", "마다", "조차", "마저", "밖에", "하고", "이다", "에", "의", "도", "만", "께"),
    )
)
LONGEST_JOSA = 3


def token_f1(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    F1 of the tokens that both texts have, as the mean over rows; a token is what stands between spaces.

    >>> token_f1(["한강은 서해로 흐릅니다"], ["서해로 흐릅니다"])
    0.8
    """
    return pooled(tally_rows(tokens_shared, hypotheses, references), empty=1.0)


def squad_f1(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    The same after the normalisation of SQuAD (Rajpurkar et al. 2016).

    >>> squad_f1(["The Han, of course"], ["the Han"])
    0.5
    """
    return pooled(tally_rows(squad_tokens_shared, hypotheses, references), empty=1.0)


def squad_em(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    Share of rows that are the same after the normalisation of SQuAD.

    >>> squad_em(["The Han.", "서해로"], ["han", "서해"])
    0.5
    """
    return pooled(tally_rows(squad_same, hypotheses, references), empty=1.0)


def josa_f1(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    The F1 of SQuAD over tokens whose particles are taken off.

    >>> josa_f1(["서해로 흐릅니다"], ["서해 흐릅니다"]), token_f1(["서해로 흐릅니다"], ["서해 흐릅니다"])
    (1.0, 0.5)
    """
    return pooled(tally_rows(stems_shared, hypotheses, references), empty=1.0)


def korquad_f1(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    The F1 of KorQuAD 1.0 (Lim et al. 2019): over characters, without white space, punctuation and quotes.

    >>> korquad_f1(["서해로."], ["서해"])
    0.8
    """
    return pooled(tally_rows(characters_in_common, hypotheses, references), empty=1.0)


def tokens_shared(hypothesis: str, reference: str) -> tuple[float, float]:
    """
    Give the F1 of a row, of 1.

    >>> tokens_shared("네 네", "네")
    (0.6666666666666666, 1)
    """
    return f1(hypothesis.split(), reference.split()), 1


def squad_tokens_shared(hypothesis: str, reference: str) -> tuple[float, float]:
    """
    Give the F1 of a row, normalised, of 1.

    >>> squad_tokens_shared("A river!", "river")
    (1.0, 1)
    """
    return f1(squad_normal(hypothesis).split(), squad_normal(reference).split()), 1


def squad_same(hypothesis: str, reference: str) -> tuple[float, float]:
    """
    Say whether a row is right, normalised.

    >>> squad_same("A river!", "river")
    (1, 1)
    """
    return int(squad_normal(hypothesis) == squad_normal(reference)), 1


def stems_shared(hypothesis: str, reference: str) -> tuple[float, float]:
    """
    Give the F1 of a row without particles, of 1.

    >>> stems_shared("학교에서", "학교")
    (1.0, 1)
    """
    return f1(_stems(hypothesis), _stems(reference)), 1


def characters_in_common(hypothesis: str, reference: str) -> tuple[float, float]:
    """
    Give the F1 of a row over characters, of 1.

    >>> characters_in_common("《서해》로", "서해")
    (0.8, 1)
    """
    return f1(_korquad_characters(hypothesis), _korquad_characters(reference)), 1


def f1(said: Iterable[str], expected: Iterable[str]) -> float:
    """
    Give the F1 of two bags of tokens: a token counts as often as it stands in both.

    >>> f1("가가나", "가다"), f1("", ""), f1("가", "")
    (0.4, 1.0, 0.0)
    """
    first, second = Counter(said), Counter(expected)
    total = first.total() + second.total()
    return 2 * (first & second).total() / total if total else 1.0


def squad_normal(text: str) -> str:
    """
    Normalise an answer as SQuAD's script does: lower case, no punctuation, no articles, single spaces.

    >>> squad_normal("The  Han-gang, a River.")
    'hangang river'
    """
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def without_josa(token: str) -> str:
    """
    Take the particle off a Korean token, if what is left can stand before it; at least one syllable stays.

    By form alone, without a dictionary: 사람은 and 사람이 are 사람; 나이 (age) stays, since 이 follows no vowel; 누나
    (sister), whose end looks like a particle, loses it, in the reference as in the answer.

    >>> [without_josa(token) for token in ("서해로", "사람은", "나이", "강으로", "서울로", "는", "river")]
    ['서해', '사람', '나이', '강', '서울', '는', 'river']
    """
    for length in range(min(LONGEST_JOSA, len(token) - 1), 0, -1):
        if _can_end(token[:-length], token[-length:]):
            return token[:-length]
    return token


def _can_end(noun: str, josa: str) -> bool:
    if not is_syllable(noun[-1]):
        return False
    *_, tail = decompose(noun[-1])
    ends_open = not tail or (tail == "ㄹ" and josa.startswith("로"))  # 서울로, not 서울으로
    return josa in JOSA_AFTER_ANY or josa in (JOSA_AFTER_VOWEL if ends_open else JOSA_AFTER_TAIL)


def _stems(text: str) -> list[str]:
    return [without_josa(token) for token in squad_normal(text).split()]


def _korquad_characters(text: str) -> str:
    return "".join(text.lower().translate(KORQUAD_MARKS).translate(PUNCTUATION).split())
