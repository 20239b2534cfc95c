"""
The kinds of hiding, as a table: name, what is done, an example, the rule of KOTOX that it is, how often it is used.

In:  "hanja".   Out: Kind(name="hanja", does="syllables as Hanja that are read so", …).

The taxonomy is that of the KOTOX paper (arXiv 2510.10961), with what people do besides it. The weights were chosen by
how often a kind stands in its rows, and by what it costs there.
"""

import random
from collections.abc import Callable
from typing import NamedTuple

from hanpuri.hiding import order, scripts, shapes, sounds, symbols
from hanpuri.hiding.cells import Row


class Kind(NamedTuple):
    """
    One way to hide text.

    Attributes:
        name: what it is called.
        hide: does it to a row, with a share of the places that it could be done to.
        weight: how often it is drawn, beside the others.
        does: what it does.
        example: clean and hidden.
        rule: the number of the rule in KOTOX's data, if it is one.
    """

    name: str
    hide: Callable[[Row, random.Random, float], None]
    weight: float
    does: str
    example: tuple[str, str]
    rule: str = ""


# What changes the order comes first and what is put in last, for the others look at neighbours.
KINDS = (
    Kind("swap", order.swap_syllables, 8, "syllables of a word change places", ("오랜만에", "오만랜에"), "11"),
    Kind("meaning", scripts.write_meanings, 8, "words in English", ("비싼 거", "익스펜시브 거"), "8-3"),
    Kind("liaison", sounds.carry_tails, 6, "a tail moves to the next syllable", ("옷을", "오슬"), "3-1"),
    Kind("heard", sounds.write_as_heard, 7, "words as they are heard", ("생각해", "생가캐"), "1-5"),
    Kind("tail", sounds.change_tails, 7, "tails that sound alike", ("완전", "왆젅"), "1-4"),
    Kind("lead", sounds.change_leads, 7, "leads that sound alike", ("그래", "크래"), "1-1"),
    Kind("vowel", sounds.change_vowels, 6, "vowels that sound alike", ("애들", "에들"), "1-3"),
    Kind("glide", sounds.round_vowels, 8, "glides put into vowels", ("너무", "눠뮤"), "2-1"),
    Kind("doubling", sounds.add_tails, 8, "tails where there was none", ("누나", "눈나"), "2-2"),
    Kind("web", sounds.web_noise, 10, "the four-slider generator", ("화장실", "확잠실")),
    Kind("look_alike", shapes.write_look_alikes, 4, "syllables that look alike", ("귀엽다", "커엽다"), "5-1"),
    Kind("turned", shapes.turn, 9, "syllables turned round", ("가족", "ㅓㄴ족"), "6-1"),
    Kind("hanja", scripts.write_hanja, 10, "syllables as Hanja", ("수상해", "水상해"), "8-2"),
    Kind("latin", scripts.write_latin, 8, "syllables in Latin letters", ("망했어", "mang했어"), "8-1"),
    Kind("sign", shapes.write_signs, 10, "signs and enclosed syllables", ("그럼 가자", "ユ럼 ㉮자"), "5-1"),
    Kind("pieces", shapes.write_pieces, 8, "letters and what looks like them", ("개는", "ㄱH는"), "5-2"),
    Kind("split", shapes.split_syllables, 4, "loose letters", ("한국", "ㅎㅏㄴ국")),
    Kind("keys", scripts.write_keys, 1, "the other keyboard", ("한글", "gksrmf")),
    Kind("wide", shapes.widen, 2, "full-width and styled letters", ("A4 용지", "Ａ４ 용지")),
    Kind("spacing", order.move_spaces, 7, "spaces in other places", ("안 갈 거야", "안갈거 야"), "10"),
    Kind("between", symbols.put_between, 3, "a mark between syllables", ("화장실", "화.장.실")),
    Kind("symbol", symbols.put_signs, 9, "signs put in", ("잘 지내", "잘 ♡ 「지내」"), "13-2"),
    Kind("invisible", symbols.put_invisible, 2, "characters that nobody sees", ("한국", "한\u200b국")),
)
