"""
Hidden text in plain Hangul, clean text that stays as it is: tables written for these tests, and promises of any text.

In: a text. Out: a draft whose changes lead from the text to what is read.
"""

import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hanpuri.compact.editing.kinds import KINDS as FOUND_BY_MODEL
from hanpuri.unhiding.draft import apply
from hanpuri.unhiding.normalising import KINDS, normalise

HIDDEN = [
    # invisible
    ("방\u200b이 깨\u2060끗\ufeff해요", "방이 깨끗해요", "invisible"),  # without width
    ("좋\u0336아\u0336요\u0336", "좋아요", "invisible"),  # struck through
    ("방\u3164이 좁\u3164아요", "방이 좁아요", "invisible"),  # Hangul filler, with true spaces beside it
    # wide
    ("위치 𝓰𝓸𝓸𝓭", "위치 good", "wide"),  # mathematical script
    ("ⓗⓞⓣⓔⓛ 로비", "hotel 로비", "wide"),  # circled
    ("🅷🅾🆃 물", "HOT 물", "wide"),  # white on black, which NFKC leaves
    ("ｃｌｅａｎ 방", "clean 방", "wide"),  # full width, a whole word
    ("ﾡￂﾧￂ 좋음", "가다 좋음", "wide"),  # half-width letters, composed behind it
    # between
    ("화♥장♥실♥이 좁다", "화장실이 좁다", "between"),
    ("침.대.가.요 푹신", "침대가요 푹신", "between"),
    # turned
    ("ㅓV장님이 친절", "사장님이 친절", "turned"),
    ("ㅏㄱ무 좋아", "너무 좋아", "turned"),
    ("코로ㅓㄱㅓㄹ서", "코로나라서", "turned"),  # two in a row
    # pieces
    ("ㄱr격이 쌈", "가격이 쌈", "pieces"),
    ("ㅁ丄ㄱ욕탕", "목욕탕", "pieces"),
    ("ㅊ┃ㅁ대", "침대", "pieces"),
    ("口ㅏ음에 듦", "마음에 듦", "pieces"),  # a lead that is none
    ("ㅂㅏㅇㅇㅣ 넓다", "방이 넓다", "split"),
    # latin
    ("sㅏ장님", "사장님", "latin"),
    ("gㅓㄹ어서 5분", "걸어서 5분", "latin"),
    ("yㅓ기 좋음", "여기 좋음", "latin"),
    ("조식도 있go", "조식도 있고", "latin"),
    # sign
    ("ユ냥 그래요", "그냥 그래요", "sign"),
    ("깨끗하ㅍ 조용", "깨끗하고 조용", "sign"),
    ("바㉰가 보여요", "바다가 보여요", "sign"),
    # split
    ("ㅊㅏㅇㅁㅜㄴ이 커요", "창문이 커요", "split"),
    ("여기 마ㄴㅎㅇㅣ 와요", "여기 많이 와요", "split"),
    ("그러ㄴ데 춥다", "그런데 춥다", "split"),
    ("ㅎㅘㅈㅏㅇㅅㅣㄹㅇㅣ ㅈㅗㅂㄷㅏ", "화장실이 좁다", "split"),
    # symbol
    ("조식이 ✧ 맛¿있고 ♤ ♧ 친절 ≥ㅁ≤", "조식이 맛있고 친절", "symbol"),
    ("◎ 방이 ✪ 《넓고》 〃밝아요〃 ∏-∏", "방이 넓고 밝아요", "symbol"),
    # hanja
    ("水건이 없어요", "수건이 없어요", "hanja"),
    ("이번二 처음", "이번이 처음", "hanja"),
    ("食구들과 海변에 四람이", "식구들과 해변에 사람이", "hanja"),
    ("男女 모두 水건下나 五늘", "남녀 모두 수건하나 오늘", "hanja"),  # 女 is 녀 behind another syllable
]
CLEAN = [
    "방이 넓고 깨끗해요ㅋㅋㅋ 또 갈게요ㅠㅠ",  # chat letters
    "ㅋㅋㅠㅠ 너무해ㅎㅎ ㅇㅋ ㄱㄱ ㅇㅇ ㄴㄴ ㄷㄷ ㅊㅋㅊㅋ ㅇㅈ",
    "ㅠㅅㅠ ㅡㅅㅡ ㅇㅅㅇ ㅜㅡㅜ ㅠ_ㅠ ㅎㅜ ㅗㅗ",  # faces
    "네ㅇㅇ 네ㅇ 그래ㅔ 아ㅏㅏ 귀여워ㅓㅇ 저ㄱ거",  # drawn out, slips of the finger
    "너무 좋아요♥♥ 별 다섯 개 ★★★★★ 추천☆",  # stars and hearts
    "「책」과 『잡지』, 【공지】 《영화》 <노래>",  # brackets
    "김○○ 씨와 이*수 씨, ○○호텔",  # masks
    "월·화·수·목은 휴무, 가.나.다.라 순서",  # lists
    "아~아~아~아~ 좋다",  # a drawn call
    "서울→부산 2시간, 3×4m, 25℃, 50㎡, ①②③, ½, ㎏, ™, ㈜한국, ㈔한국호텔협회",  # signs of measure and law
    "한자(漢字)와 영어(English), 大韓民國",  # Hanja in brackets and for itself
    "美 대통령, 前대표, 서울發 기사, 방송中",  # as newspapers write
    "PC방 A급 TV는 smart한 Wi-Fi 5GHz e-book vs. SNS도 IV, CIA는, HO호",  # Latin words with particles
    "1박2일 ₩50,000원 010-1234-5678 12:30~14:00 3.5점 100%",  # numbers
    "https://example.com/방?id=3&q=a_b#c me@example.co.kr @user #해시태그",  # addresses
    "👩\u200d👩\u200d👧 ❤\ufe0f 🇰🇷 1\ufe0f\u20e3 👍🏽 좋아요😀또 올게요",  # emoji and what joins them
    "Ｋ－ＰＯＰ １０％ （주）： “인용” ‘인용’ … ～",  # full width as it is set
    "ᄒᆞᆫ글 ㆍ 훈민정음",  # old Hangul
    "㉮ 방 ㉯ 집, ㉠과 ㉡",  # list marks
    "ابجد עברית čeština Ελληνικά ไทย हिन्दी",  # other scripts
    "※ 주의! ※ 체크인은 15:00 ▶ 퇴실은 11:00 ◆특가◆ ♨온천♨",  # signs of advertisements
    "어.. 음... 뭐, 그냥-저냥~ ^^ ^_^ ;; -_- T_T (^o^)/ :)",  # punctuation and faces
    "co2 h2o ph 7.0 x1 A4 b1층 L사이즈",  # letters with numbers
    "갑·을, 남/여, 상-중-하, 전,후,좌,우",  # pairs
    "ㄱ. 첫째 ㄴ. 둘째 ㄱ~ㅎ",  # list letters
    "\u200bㅋ \ufeff\n\t  \u00a0\u3000",  # invisible at the edge, spaces of other kinds
]


@pytest.mark.parametrize(("hidden", "read", "kind"), HIDDEN, ids=[one[0] for one in HIDDEN])
def test_what_is_hidden_is_read(hidden, read, kind):
    draft = normalise(hidden)
    assert draft.text == read
    assert kind in {change.kind for change in draft.changes()}


@pytest.mark.parametrize("text", CLEAN)
def test_clean_text_stays_as_it_is(text):
    assert normalise(text).changes() == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_a_kind_is_one(kind):
    _, hidden, read = KINDS[kind]
    draft = normalise(hidden)
    assert draft.text == read
    assert kind in {change.kind for change in draft.changes()}


PIECES = st.one_of(
    st.sampled_from([one[0] for one in HIDDEN] + CLEAN),
    st.text("가하나ㄱㅋㅎㅇㅏㅓㅣㅠrlI1oOV二女水家✧♥¿≥ㅁ≤『』·.*\u200b\u0301 ", max_size=30),
    st.text(max_size=20),
)
TEXTS = st.lists(PIECES, max_size=6).map("".join).map(lambda text: unicodedata.normalize("NFC", text))


@given(TEXTS)
@example("e\u200b\u0301 ㅏ")  # what parts a letter and its accent goes: NFC has one character for both
@example("가\u034f\u200b\u0336이 \U000e0000가")
@settings(max_examples=250, deadline=None)
def test_changes_lead_from_any_text_to_what_is_read_in_nfc_and_each_has_a_kind(text):
    draft = normalise(text)
    changes = draft.changes()
    assert apply(text, changes) == draft.text == unicodedata.normalize("NFC", draft.text)
    assert {change.kind for change in changes} <= KINDS.keys()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
@settings(max_examples=150, deadline=None)
def test_text_without_hangul_keeps_its_letters(text):
    # Only what is styled is written plainly; no letter of another script becomes Hangul beside none.
    normal = unicodedata.normalize("NFC", text)
    if not any("ㄱ" <= c <= "ㅣ" or "가" <= c <= "힣" or "\u1100" <= c <= "\u11ff" for c in normal):
        assert {change.kind for change in normalise(normal).changes()} <= {"wide", "symbol"}


# Runs that a careless pattern or loop would read again and again from each of their characters.
LONG = ["ㅋㅠ", "ㅏㄱ", "✧ ", "가.", "水", "가\u200b", "r", "(漢", "ㄱㄴ", "《", "\u0301", "ㄱr", "가 ♥", "하ㄴ", "Ａ"]


@pytest.mark.parametrize("piece", LONG)
def test_time_grows_with_the_length_and_not_faster(piece):
    def seconds(times: int) -> float:
        text = unicodedata.normalize("NFC", f"ㄱr {piece * times}")
        start = time.process_time()
        normalise(text).changes()
        return time.process_time() - start

    seconds(100)
    short, long = min(seconds(1_000) for _ in range(3)), seconds(10_000)
    assert long < 40 * short + 0.05


def test_the_page_of_the_documentation_lists_each_kind():
    page = (Path(__file__).parents[2] / "docs/restore.md").read_text(encoding="utf-8")
    told = [row.split("`")[1] for row in page.partition("| kind |")[2].partition("\n\n")[0].splitlines()[2:]]
    assert told == [*KINDS, *FOUND_BY_MODEL]
