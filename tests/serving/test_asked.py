"""
Bodies that hold far too much: the fault is found at once, and is one.

In: half a million wrong values. Out: one fault, in less time than anybody notices.
"""

import time

import pytest
from pydantic import ValidationError

from hanpuri.serving.asked import Asked, Text, Texts


class Request(Asked):
    text: Text = None
    texts: Texts = None
    number: int = 0
    share: float = 0.0
    wish: bool = False


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        # a fault each would take seconds
        ({"texts": [1] * 500_000}, "Input should be a valid string"),
        ({f"{number}": 1 for number in range(100_000)}, "Value error, found 100,000 fields, expected 5 at most"),
        # half a surrogate pair, as JSON can write it
        ({"text": "방\ud800"}, "Value error, found half a surrogate pair at character 1, expected text"),
        ({"texts": ["방", "\udfff"]}, "Value error, text 2: found half a surrogate pair at character 0, expected text"),
        ({"other": 1}, "Extra inputs are not permitted"),
        # what Python would take for a number or a wish
        ({"number": "1"}, "Input should be a valid integer"),
        ({"number": True}, "Input should be a valid integer"),
        ({"number": 1.0}, "Input should be a valid integer"),
        ({"share": "1"}, "Input should be a valid number"),
        ({"share": True}, "Input should be a valid number"),
        ({"wish": 1}, "Input should be a valid boolean"),
        ({"wish": "true"}, "Input should be a valid boolean"),
    ],
)
def test_what_does_not_fit_is_one_fault(sent, message):
    start = time.process_time()
    with pytest.raises(ValidationError) as caught:
        Request.model_validate(sent)
    assert [fault["msg"] for fault in caught.value.errors()] == [message]
    assert time.process_time() - start < 0.2


def test_what_fits_is_taken_as_it_is():
    assert Request.model_validate({"texts": ["방", ""]}).texts == ["방", ""]
    assert Request.model_validate({"share": 1}).share == 1.0
    assert Request.model_validate({"text": "\U0010ffff\0"}).text == "\U0010ffff\0"
