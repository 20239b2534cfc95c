"""
What cleaning does to a row, and why it leaves a row out.

In: the fields of a row of each form. Out: the cleaned fields, the changes step by step, the findings, the cause.
"""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hanpuri.data.cleaning.cleaner import Change, Cleaner
from hanpuri.data.cleaning.personal import KINDS
from hanpuri.data.recipe import CleanSettings


def clean(text, **settings):
    """Clean one text."""
    return Cleaner(CleanSettings(**settings), "text").clean({"text": text})


def dropped(form, fields, **settings):
    return Cleaner(CleanSettings(**settings), form).clean(fields).dropped


def conversation(*contents):
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[n % 2], "content": content} for n, content in enumerate(contents)]}


def pair(prompt, chosen, rejected):
    return {"prompt": prompt, "input": "", "chosen": chosen, "rejected": rejected}


# --- the steps


def test_each_step_that_changes_a_text_is_told_with_what_it_made():
    cleaning = clean(" LG\u200b \u1112\u1161\u11ab글 010-1234-5678", lower_case=True, mask=("phone", "email"))
    before = " LG\u200b \u1112\u1161\u11ab글 010-1234-5678"
    assert cleaning.changes == (
        Change("control_characters", "text", before, " LG \u1112\u1161\u11ab글 010-1234-5678"),
        Change("nfc", "text", " LG \u1112\u1161\u11ab글 010-1234-5678", " LG 한글 010-1234-5678"),
        Change("white_space", "text", " LG 한글 010-1234-5678", "LG 한글 010-1234-5678"),
        Change("lower_case", "text", "LG 한글 010-1234-5678", "lg 한글 010-1234-5678"),
        Change("mask.phone", "text", "lg 한글 010-1234-5678", "lg 한글 [전화번호]"),
    )
    assert cleaning.fields == {"text": "lg 한글 [전화번호]"}
    assert (cleaning.findings, cleaning.dropped) == ((), None)


@pytest.mark.parametrize(
    ("text", "off", "on"),
    [
        ("가\u200b나\r\n다", {"control_characters": False}, "가나\n다"),
        ("\u1112\u1161\u11ab글", {"nfc": False}, "한글"),
        (" 가  나 ", {"white_space": "keep"}, "가  나"),
    ],
)
def test_a_step_that_the_recipe_turns_off_is_not_taken(text, off, on):
    assert clean(text).fields == {"text": on}
    assert clean(text, **off).fields == {"text": text}


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("ᄒ\u200bᅡ\u200bᆫ글", "한글"),  # letters that only meet when what stood between them is gone
        ("\u200b 가 \u200b", "가"),  # spaces that only then stand at the end
        ("가 \r\n \r\n\r\n나", "가\n\n나"),  # line ends that only then are alike
        ("J\u030c", "ǰ"),  # a small letter and its mark are one character
        ("\u200b 010\u200b-1234-5678", "[전화번호]"),  # a number that was hidden
        ("STAY@EXAMPLE.COM", "[이메일]"),
    ],
)
def test_a_step_sees_what_the_steps_before_it_made(text, cleaned):
    assert clean(text, white_space="collapse", lower_case=True, mask=KINDS).fields == {"text": cleaned}


def test_a_clean_row_is_given_back_as_it_came():
    fields = {"messages": [{"role": "user", "content": "체크인은 몇 시예요?"}]}
    cleaning = Cleaner(CleanSettings(), "messages").clean(fields)
    assert cleaning.fields is fields
    assert (cleaning.changes, cleaning.findings, cleaning.dropped) == ((), (), None)


def test_every_message_is_cleaned_and_keeps_its_role_and_the_row_given_stays_as_it_was():
    fields = conversation("방 있어요? ", "네", "\u200b010-1234-5678로 연락 주세요")
    cleaning = Cleaner(CleanSettings(mask=("phone",)), "messages").clean(fields)
    assert cleaning.fields == conversation("방 있어요?", "네", "[전화번호]로 연락 주세요")
    assert [(change.step, change.field) for change in cleaning.changes] == [
        ("white_space", "messages.0"),
        ("control_characters", "messages.2"),
        ("mask.phone", "messages.2"),
    ]
    assert fields == conversation("방 있어요? ", "네", "\u200b010-1234-5678로 연락 주세요")


def test_every_field_is_cleaned():
    fields = {"instruction": " 줄여 줘", "input": "", "output": "네\r\n"}
    cleaning = Cleaner(CleanSettings(), "instruction").clean(fields)
    assert cleaning.fields == {"instruction": "줄여 줘", "input": "", "output": "네"}
    assert [(change.step, change.field) for change in cleaning.changes] == [
        ("white_space", "instruction"),
        ("control_characters", "output"),
        ("white_space", "output"),
    ]


# --- what is found


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("방이 넓어요", ()),
        ("방이 넓�요", ("replacement",)),
        ("방이 \ud83d 넓어요", ("replacement",)),  # half of an emoji
        ("ì¢‹ì•„ìš” ¾È³çÇÏ¼¼¿ä", ("mojibake",)),
        ("�븞�뀞�븯�꽭�슂", ("replacement", "mojibake")),
    ],
)
def test_lost_characters_and_mojibake_are_found_and_kept_unless_the_recipe_drops_them(text, findings):
    cleaning = clean(text)
    assert (cleaning.findings, cleaning.dropped) == (findings, None)
    for finding in findings:
        cleaning = clean(text, **{finding: "drop"})
        assert (cleaning.findings, cleaning.dropped) == (findings, finding)


def test_mojibake_is_found_before_its_control_characters_are_taken_out():
    text = "객실".encode().decode("latin-1")
    cleaning = clean(f"이 {text} 좋아요")
    assert cleaning.findings == ("mojibake",)
    assert cleaning.fields != {"text": f"이 {text} 좋아요"}


def test_half_a_surrogate_pair_is_replaced_in_every_case_because_no_file_can_hold_it():
    cleaning = clean("좋아요\ud83d", control_characters=False, nfc=False, white_space="keep", replacement="drop")
    assert cleaning.changes == (Change("replacement", "text", "좋아요\ud83d", "좋아요�"),)
    assert cleaning.dropped == "replacement"


# --- what is left out


@pytest.mark.parametrize(
    ("form", "fields", "settings", "cause"),
    [
        # the length is that after cleaning
        ("text", {"text": " \u200b "}, {}, "min_characters"),
        ("text", {"text": ""}, {"min_characters": 0}, None),
        ("text", {"text": "가나다 "}, {"max_characters": 3}, None),
        ("text", {"text": "가나다라"}, {"max_characters": 3}, "max_characters"),
        # each field must hold so much, but an input need not
        ("instruction", {"instruction": "줄여", "input": "", "output": "네"}, {}, None),
        ("instruction", {"instruction": "줄여", "input": "", "output": " "}, {}, "min_characters"),
        (
            "instruction",
            {"instruction": "가", "input": "가나다", "output": "가"},
            {"max_characters": 2},
            "max_characters",
        ),
        ("preference", pair("가나", "가다", "가"), {"min_characters": 2}, "min_characters"),
        # a rejected answer may be none at all, a chosen one may not
        ("preference", pair("가나", "가다", " "), {"min_characters": 2}, None),
        ("preference", pair("가나", " ", "가다"), {}, "min_characters"),
        # a conversation counts as one prompt
        ("preference", pair(conversation("네", "가")["messages"], "가다", ""), {"min_characters": 2}, None),
        ("preference", pair(conversation("네", "가")["messages"], "가", ""), {"max_characters": 1}, "max_characters"),
        # cleaning made the answers one
        ("preference", pair("가", "가다 ", "가다"), {}, "same_answers"),
        ("preference", pair("가", "각", "\u1100\u1161\u11a8"), {"nfc": False}, "same_answers"),
        ("preference", pair("가", "가다 ", "가다"), {"white_space": "keep"}, None),
        # messages count together
        ("messages", conversation("네", "", "가"), {"min_characters": 2}, None),
        ("messages", conversation("네", "가"), {"max_characters": 1}, "max_characters"),
        # the share of Hangul among the letters, letters typed by themselves included
        ("text", {"text": "ㅋㅋ 좋아 ok!! 12345"}, {"min_hangul": 0.6}, None),
        ("text", {"text": "ㅋㅋ 좋아 ok!! 12345"}, {"min_hangul": 0.7}, "min_hangul"),
        ("text", {"text": "漢字 かな 좋아"}, {"min_hangul": 0.5}, "min_hangul"),
        ("text", {"text": "12345 !!"}, {"min_hangul": 0.01}, "min_hangul"),  # no letter, no Hangul
        ("text", {"text": "12345 !!"}, {}, None),
        ("pairs", {"noisy": "ㅇrㄴㅕㅇ", "clean": "아녀여"}, {"min_hangul": 1.0}, None),  # noise may use others
        ("preference", pair("방", "넓어요", "large"), {"min_hangul": 0.5}, "min_hangul"),
    ],
)
def test_rows_are_left_out_by_length_and_share_of_hangul(form, fields, settings, cause):
    assert dropped(form, fields, **settings) == cause


@pytest.mark.parametrize(
    ("noisy", "clean", "cause"),
    [
        ("쨰밌어요", "재밌어요", None),
        ("쨰밌어요 ", "재밌어요 ", None),  # both sides lose the same
        ("연락 010-1234-5678", "연락 010-1234-5678", None),
        ("쨰밌어요 ", "재밌어요.", "lengths_part"),  # one side loses its end
        ("쨰밌\u200b어요", "재밌 어요", "lengths_part"),  # or what stood for something
        ("쨰밌어요 ", "재밌어요", None),  # of two lengths before, of one now
        ("쨰밌어용ㅎ", "재밌어요", None),  # of two lengths before and after
        ("\u110d\u1162밌어요", "재밌어요", None),  # typed apart on one side
        ("ㅋㅋㅋ", "   ", "min_characters"),  # the plainer cause comes first
    ],
)
def test_a_pair_whose_sides_lose_their_common_length_is_left_out(noisy, clean, cause):
    assert dropped("pairs", {"noisy": noisy, "clean": clean}, mask=KINDS) == cause


def test_a_row_that_is_left_out_shows_what_was_done_to_it():
    cleaning = clean(" ㅎ\u200b", min_characters=5)
    assert (cleaning.fields, cleaning.dropped) == ({"text": "ㅎ"}, "min_characters")
    assert [change.step for change in cleaning.changes] == ["control_characters", "white_space"]


# --- any text at all

everything = CleanSettings(white_space="collapse", lower_case=True, mask=KINDS, max_characters=50, min_hangul=0.5)
some = st.text(
    alphabet=st.sampled_from("가ㅎ\u1112\u1161\u11abaİΣJ\u030c\u0344\u200b\u200d👩🚀 \t\r\n\u2028\xa0\x00019-.@+")
)
any_text = st.one_of(st.text(alphabet=st.characters()), some)  # lone surrogates too


@pytest.mark.parametrize("settings", [CleanSettings(), everything], ids=["defaults", "everything"])
@given(text=any_text)
@example(text="İ" + "\u0301" * 30)  # one capital that is two characters when small
@example(text="\u200b010\u200b-1234\u2028-\u200b5678")
def test_cleaning_what_is_clean_changes_nothing(settings, text):
    cleaner = Cleaner(settings, "text")
    once = cleaner.clean({"text": text})
    twice = cleaner.clean(once.fields)
    assert twice.changes == ()
    assert twice.fields is once.fields
    assert twice.dropped == once.dropped


@pytest.mark.parametrize("settings", [CleanSettings(), everything], ids=["defaults", "everything"])
@given(text=any_text)
def test_a_cleaned_text_is_in_nfc_and_can_be_written_and_holds_no_control_character(settings, text):
    cleaned = Cleaner(settings, "text").clean({"text": text}).fields["text"]
    assert unicodedata.is_normalized("NFC", cleaned)
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned
    assert {character for character in cleaned if unicodedata.category(character) == "Cc"} <= {"\n", "\t"}
    assert cleaned == cleaned.strip()


@given(any_text)
def test_the_changes_lead_from_what_came_to_what_is_given_back(text):
    cleaning = Cleaner(everything, "text").clean({"text": text})
    for change in cleaning.changes:
        assert change.before == text
        text = change.after
    assert cleaning.fields == {"text": text}
