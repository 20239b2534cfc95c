"""
Comparing two models blind: the token that keeps the sides, and the endpoint that hands it out.

In: any texts; a real service of two models, and one of a single model. Out: tokens that open with their texts alone.
"""

import base64
import json
import secrets
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.serving.comparison import read_comparison, sign_comparison
from hanpuri.serving.faults import ServiceFault

SECRET, NOW = b"a secret of this test", 1_795_309_200.0
NOISY, CLEAN = "확잠실읾 념뭄 잙앙욤", "화장실이 너무 작아요"
NOT_SIGNED = "comparison: found a token that this service did not sign since it was started"
OTHER_TEXTS = "comparison: found other texts than those that were compared"
MEND = "compare the text again with POST /v1/compare, and send what came back as it is"

texts = st.text(st.characters(), max_size=30)  # halves of surrogate pairs too
names = st.sampled_from(("base", "small", "가나", "a b"))


def read(token: str, *told: str, secret: bytes = SECRET, now: float = NOW) -> tuple[str, str]:
    return read_comparison(secret, token, *told, now=now)


def payload(token: str) -> dict[str, object]:
    encoded = token.partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))


@given(names, names, texts, texts, texts)
def test_a_token_opens_with_its_texts_and_names_the_models_in_their_order(left_model, right_model, noisy, left, right):
    token = sign_comparison(SECRET, left_model, right_model, noisy, left, right, now=NOW)
    assert read(token, noisy, left, right) == (left_model, right_model)
    assert token.isascii()


@given(texts, texts, texts, texts)
def test_another_text_in_any_place_is_refused(noisy, left, right, other):
    token = sign_comparison(SECRET, "base", "small", noisy, left, right, now=NOW)
    for told in ((other, left, right), (noisy, other, right), (noisy, left, other), (noisy, right, left)):
        if [unicodedata.normalize("NFC", one) for one in told] == [
            unicodedata.normalize("NFC", one) for one in (noisy, left, right)
        ]:
            continue
        with pytest.raises(ServiceFault) as fault:
            read(token, *told)
        assert (fault.value.status, fault.value.message, fault.value.mend) == (422, OTHER_TEXTS, MEND)


def test_texts_that_are_only_written_otherwise_are_the_same():
    token = sign_comparison(SECRET, "base", "small", NOISY, CLEAN, CLEAN, now=NOW)
    apart = [unicodedata.normalize("NFD", one) for one in (NOISY, CLEAN, CLEAN)]
    assert read(token, *apart) == ("base", "small")


def test_a_text_that_is_cut_elsewhere_is_another():
    token = sign_comparison(SECRET, "base", "small", "가나", "다", "라", now=NOW)
    with pytest.raises(ServiceFault, match=OTHER_TEXTS):
        read(token, "가", "나다", "라")


def test_no_character_of_a_token_can_be_changed():
    token = sign_comparison(SECRET, "base", "small", NOISY, CLEAN, CLEAN, now=NOW)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=. "
    for place in range(len(token)):
        for letter in (letters[(letters.index(token[place]) + 1) % len(letters)], "가", ""):
            with pytest.raises(ServiceFault, match=NOT_SIGNED):
                read(token[:place] + letter + token[place + 1 :], NOISY, CLEAN, CLEAN)
    # In the last character of 32 bytes two bits say nothing: no other spelling of the same bytes is taken.
    for letter in letters.replace(token[-1], ""):
        with pytest.raises(ServiceFault, match=NOT_SIGNED):
            read(token[:-1] + letter, NOISY, CLEAN, CLEAN)


@given(st.text(st.characters(), max_size=200))
def test_garbage_is_no_token(garbage):
    with pytest.raises(ServiceFault, match=NOT_SIGNED):
        read(garbage, NOISY, CLEAN, CLEAN)


def test_a_token_of_another_start_is_refused():
    token = sign_comparison(b"another secret", "base", "small", NOISY, CLEAN, CLEAN, now=NOW)
    with pytest.raises(ServiceFault, match=NOT_SIGNED):
        read(token, NOISY, CLEAN, CLEAN)


@pytest.mark.parametrize(
    ("seconds", "taken"),
    [
        (0, True),
        (24 * 3600, True),
        (24 * 3600 + 1, False),
        (-60, True),  # another worker's clock is behind
        (-61, False),
    ],
)
def test_a_token_is_good_for_a_day(seconds, taken):
    token = sign_comparison(SECRET, "base", "small", NOISY, CLEAN, CLEAN, now=NOW)
    if taken:
        assert read(token, NOISY, CLEAN, CLEAN, now=NOW + seconds) == ("base", "small")
        return
    with pytest.raises(ServiceFault) as fault:
        read(token, NOISY, CLEAN, CLEAN, now=NOW + seconds)
    found = f"found a token of {seconds / 3600:.0f} hours ago, expected one of the last 24 hours"
    assert fault.value.message == f"comparison: {found}"


def test_the_readable_half_of_a_token_does_not_tell_the_sides():
    sides = {("base", "small"): set(), ("small", "base"): set()}
    for _ in range(200):
        for models, found in sides.items():
            told = payload(sign_comparison(SECRET, *models, NOISY, CLEAN, CLEAN, now=NOW))
            assert told["models"] == ["base", "small"]
            found.add(told["side"])
    assert sides == {("base", "small"): {0, 1}, ("small", "base"): {0, 1}}


def compare(client, **asked: object) -> dict[str, object]:
    answer = client.post("/v1/compare", json={"text": NOISY} | asked)
    assert answer.status_code == 200
    return answer.json()


def test_two_models_answer_side_by_side_and_nothing_tells_them_apart(client):
    told = compare(client)
    assert set(told) == {"comparison", "noisy", "left", "right", "same"}
    assert told["noisy"] == NOISY
    for side in (told["left"], told["right"]):
        assert set(side) == {"text", "edits"}
        assert side["text"] == CLEAN
        assert side["edits"][0] == {"position": 0, "noisy": "확", "restored": "화"}
    assert told["same"] is True


def test_sides_fall_by_a_coin_and_a_vote_names_them(client):
    seen = set()
    for _ in range(40):
        told = compare(client, models=["small", "base"])
        vote = {"kind": "vote", "noisy": NOISY, "left": told["left"]["text"], "right": told["right"]["text"]}
        vote |= {"comparison": told["comparison"], "choice": "both", "consent": False}
        answer = client.post("/v1/feedback", json=vote)
        assert answer.status_code == 201
        seen.add(tuple(answer.json()["models"].items()))
        if len(seen) == 2:
            break
    assert seen == {(("left", "base"), ("right", "small")), (("left", "small"), ("right", "base"))}


def test_a_text_comes_back_in_nfc_and_its_token_opens_with_it(client):
    told = compare(client, text=unicodedata.normalize("NFD", NOISY))
    assert told["noisy"] == NOISY


@pytest.mark.parametrize(
    ("asked", "status", "error", "mend"),
    [
        # the same model twice
        (
            {"models": ["base", "base"]},
            422,
            "models: found one model twice, expected two",
            "see /v1/models for what there is",
        ),
        # one alone
        (
            {"models": ["base"]},
            422,
            "models: List should have at least 2 items after validation, not 1",
            "see /docs for what is expected",
        ),
        # one that there is not
        (
            {"models": ["base", "smal"]},
            404,
            "model: found no such model, expected one of base, small",
            "did you mean small?",
        ),
        # no text
        ({"text": None}, 422, "text: Input should be a valid string", "see /docs for what is expected"),
        # too long a text
        (
            {"text": "가" * 10_001},
            422,
            "text 1: found 10,001 characters, expected 10,000 at most",
            "cut it into several texts",
        ),
        # a field that there is not
        ({"seed": 1}, 422, "seed: Extra inputs are not permitted", "see /docs for what is expected"),
    ],
)
def test_what_cannot_be_compared_is_said(client, asked, status, error, mend):
    answer = client.post("/v1/compare", json={"text": NOISY} | asked)
    assert (answer.status_code, answer.json()) == (status, {"error": error, "mend": mend})


def test_a_service_of_one_model_compares_nothing(serve):
    with serve("--model", "small", "--database", "none").client() as client:
        answer = client.post("/v1/compare", json={"text": NOISY})
    found = "comparing needs two models, this service has 1"
    mend = "start it with two: hanpuri serve --model base --model small"
    assert (answer.status_code, answer.json()) == (404, {"error": found, "mend": mend})


def test_an_empty_text_is_the_same_twice(client):
    told = compare(client, text="")
    assert (told["left"], told["right"], told["same"]) == ({"text": "", "edits": []}, {"text": "", "edits": []}, True)


def test_secrets_of_other_lengths_sign_as_well():
    for length in (1, 32, 100):
        secret = secrets.token_bytes(length)
        token = sign_comparison(secret, "small", "base", NOISY, CLEAN, CLEAN)
        assert read_comparison(secret, token, NOISY, CLEAN, CLEAN) == ("small", "base")
