"""
POST /v1/obfuscate as a client has it.

In: clean texts, sliders, seeds. Out: the noise that the library makes with them.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanpuri.noise.airbnb import Sliders
from hanpuri.noise.obfuscate import obfuscate

CLEAN = "화장실이 너무 작아요"
SHARES = st.sampled_from((0.0, 0.25, 0.5, 1.0))


def ask(client, **body):
    answer = client.post("/v1/obfuscate", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_one_text_is_obfuscated_with_what_changed(client):
    found = ask(client, text=CLEAN, seed=1)
    assert found.keys() == {"milliseconds", "clean", "noisy", "edits"}
    assert (found["clean"], found["noisy"]) == (CLEAN, "확창실인 념문 짝앎오")
    assert found["edits"][0] == {"position": 0, "clean": "화", "noisy": "확"}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.one_of(st.sampled_from([CLEAN, "", "한글"]), st.text(st.characters(codec="utf-8"))), max_size=4),
    st.tuples(SHARES, SHARES, SHARES, SHARES),
    SHARES,
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from(["airbnb", "hand"]),
)
def test_many_texts_get_the_noise_of_the_library(client, texts, shares, strength, seed, profile):
    sliders = dict(zip(("liaison", "doubling", "change", "tail_insertion"), shares, strict=True))
    found = ask(client, texts=texts, sliders=sliders, strength=strength, seed=seed, profile=profile)["results"]
    for text, one in zip(texts, found, strict=True):
        made = obfuscate(text, sliders=Sliders(**sliders), strength=strength, seed=seed, profile=profile)
        assert (one["clean"], one["noisy"]) == (made.clean, made.noisy)
        assert [tuple(edit.values()) for edit in one["edits"]] == list(made.edits)


def test_a_thousand_texts_come_back_in_their_order(client):
    texts = [f"{number}호실이 넓어요 " * 9 for number in range(1_000)]
    assert [one["clean"] for one in ask(client, texts=texts)["results"]] == texts


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "the body: found neither text nor texts, expected one"),
        ({"text": "방", "sliders": {"change": 1.5}}, "sliders.change: Input should be less than or equal to 1"),
        ({"text": "방", "sliders": {"chang": 1}}, "sliders.chang: Extra inputs are not permitted"),
        ({"text": "방", "strength": -1}, "strength: Input should be greater than or equal to 0"),
        ({"text": "방", "profile": "mine"}, "profile: Input should be 'airbnb' or 'hand'"),
        ({"text": "방", "seed": 1.5}, "seed: Input should be a valid integer"),
        ({"text": "가" * 10_001}, "text 1: found 10,001 characters, expected 10,000 at most"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(client, body, error):
    answer = client.post("/v1/obfuscate", json=body)
    assert (answer.status_code, answer.json()["error"]) == (422, error)


def test_a_number_that_is_none_is_told_in_one_line(client):
    body = '{"text": "방", "sliders": {"change": NaN}}'
    answer = client.post("/v1/obfuscate", content=body, headers={"Content-Type": "application/json"})
    assert answer.json()["error"] == "sliders.change: Input should be a finite number"
