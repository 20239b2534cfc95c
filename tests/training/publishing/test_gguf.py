"""GGUF: what can be told without llama.cpp's tools; the conversion itself was tried by hand, see docs/publish.md."""

import pytest

from hanpuri.errors import ModelError
from hanpuri.training.publishing import gguf


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        ((), 0),
        (("F16",), 2),
        # two bytes more while it is made: it is quantised from F16
        (("Q4_K_M",), 2.61),
        (("F16", "Q8_0"), 3.07),
    ],
)
def test_the_room_that_files_take(formats, expected):
    assert gguf.bytes_per_number(formats) == pytest.approx(expected)


def test_nothing_is_needed_for_no_format(monkeypatch):
    monkeypatch.setattr(gguf, "find_spec", lambda name: None)
    gguf.check_tools(())


def test_a_format_that_llama_cpp_itself_makes_needs_it(monkeypatch):
    monkeypatch.setattr(gguf, "find_spec", lambda name: None if name == "llama_cpp" else name)
    gguf.check_tools(("F16", "Q8_0"))
    with pytest.raises(ModelError) as caught:
        gguf.check_tools(("F16", "Q4_K_M"))
    assert str(caught.value) == (
        "the GGUF format Q4_K_M needs llama.cpp itself, which is not installed;"
        " pip install llama-cpp-python, which builds it in some minutes; or take F16 or Q8_0"
    )


def test_the_converter_sees_the_folder_and_the_tokenizer_model_of_the_base(tmp_path):
    for name in ("out/config.json", "out/model.safetensors", "out/model-F16.gguf", "base/tokenizer.model"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    source = gguf._linked(tmp_path / "out", tmp_path / "base", tmp_path / "source")
    assert {path.name: path.read_text() for path in source.iterdir()} == {
        "config.json": "out/config.json",
        "model.safetensors": "out/model.safetensors",
        "tokenizer.model": "base/tokenizer.model",
    }
