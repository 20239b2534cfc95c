"""
Where a model lies is looked at before anything that answers with it is loaded.

In: lines as `--engine` takes them. Out: the fault of one whose files are not there; nothing of what a server knows.
"""

import pytest

from hanpuri.engines.places import check_place
from hanpuri.engines.settings import parse_engine
from hanpuri.errors import ModelError


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("compact:bas", "no model is called 'bas'; there are small, base; did you mean base?"),
        ("llamacpp:gone.gguf", "gone.gguf cannot be read: No such file or directory; give the path of a GGUF file"),
        ("transformers:empty", "empty: found no config.json in this folder; give the folder of a model"),
        ("transformers:empty,channel=airbnb", "empty: found no config.json in this folder; give the folder of a model"),
        # as a folder of somebody else
        (
            f"transformers:{'a' * 300}",
            f"{'a' * 300} cannot be read: File name too long; see that this user may read the folder and what is in it",
        ),
        ("vllm:empty", "empty: found no config.json in this folder; give the folder of a model"),
    ],
)
def test_a_model_that_is_not_there_is_told(line, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError) as raised:
        check_place(parse_engine(line))
    assert str(raised.value) == message


@pytest.mark.parametrize("line", ["echo", "compact", "compact:small", "openai:http://127.0.0.1:9/v1#none"])
def test_what_is_there_or_elsewhere_is_no_fault(line):
    check_place(parse_engine(line))
