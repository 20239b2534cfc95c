"""
Where models lie, and whether they are whole.

In: a name or a folder. Out: its files, checked, or one line that says which of them is missing or damaged.
"""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.compact.model_files import NEEDED, SUMS, ModelFiles
from hanpuri.errors import ModelError

# Checking looks at bytes, whatever they mean; whether onnxruntime takes them is tested with the runtime.
CONTENTS = {"model.onnx": b"the network " * 99, "vocabulary.json": '{"syllables": "방이", "others": "\\n"}\n'.encode()}
AGAIN = "install hanpuri again, or train the model again"
COPY = "install hanpuri again, or copy the model again"


def lay(folder: Path) -> Path:
    """A whole model in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    ModelFiles(folder).write_sums()
    return folder


@pytest.fixture
def model(tmp_path, monkeypatch) -> Path:
    """A whole model in ./mine, named like that in messages."""
    monkeypatch.chdir(tmp_path)
    return lay(Path("mine"))


def told(model: str | Path) -> str:
    with pytest.raises(ModelError) as caught:
        ModelFiles.find(model)
    return str(caught.value)


# --- finding


@pytest.mark.parametrize("name", ["base", "small"])
def test_a_shipped_model_is_found_by_its_name_and_is_whole(name):
    files = ModelFiles.find(name)
    assert files.name == name
    assert files.network.is_file()
    assert files.vocabulary.is_file()


def test_shipped_models_are_listed_by_size():
    assert [files.name for files in ModelFiles.shipped()] == ["small", "base"]


def test_a_shipped_model_is_found_even_beside_a_folder_of_its_name(model):
    Path("base").mkdir()
    assert ModelFiles.find("base").folder.is_absolute()


def test_a_trained_model_is_found_by_its_folder(model):
    for folder in (model, str(model), model.resolve(), "./mine/"):
        assert ModelFiles.find(folder).network.read_bytes() == CONTENTS["model.onnx"]


def test_the_size_of_a_model_is_that_of_the_files_it_restores_with(model):
    (model / "README.md").write_text("# mine", encoding="utf-8")
    assert ModelFiles(model).num_bytes == sum(map(len, CONTENTS.values()))


def test_a_card_is_read_and_a_model_without_one_has_an_empty_card(model):
    assert ModelFiles(model).card == {}
    (model / "card.json").write_text('{"name": "내 모델"}', encoding="utf-8")
    assert ModelFiles(model).card == {"name": "내 모델"}


def test_phrases_belong_to_a_model_where_they_are_there(model):
    before = ModelFiles(model).num_bytes
    ModelFiles(model).phrases.write_bytes(b"runs")
    assert told(model) == f"mine/phrases.npz is damaged: its checksum is not the one in SHA256SUMS; {COPY}"
    ModelFiles(model).write_sums()
    assert ModelFiles.find(model).num_bytes == before + 4
    ModelFiles(model).phrases.unlink()
    assert told(model) == f"mine/phrases.npz is missing; {AGAIN}"


# --- unknown names


THERE_ARE = "there are small, base"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bas", f"no model is called 'bas'; {THERE_ARE}; did you mean base?"),
        ("smal", f"no model is called 'smal'; {THERE_ARE}; did you mean small?"),
        ("Base", f"no model is called 'Base'; {THERE_ARE}; did you mean base?"),
        ("gpt", f"no model is called 'gpt'; {THERE_ARE}; give one of these, or the folder of a trained model"),
        (
            "runs/gone",
            f"no model is called 'runs/gone'; {THERE_ARE}; give one of these, or the folder of a trained model",
        ),
        # a file is no folder
        (
            "mine/model.onnx",
            f"no model is called 'mine/model.onnx'; {THERE_ARE}; give one of these, or the folder of a trained model",
        ),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(model, name, message):
    assert told(name) == message


# --- broken models


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_file_is_named(model, name):
    (model / name).unlink()
    assert told(model) == f"mine/{name} is missing; {AGAIN}"


@pytest.mark.parametrize("name", NEEDED)
def test_a_file_that_was_cut_short_is_named(model, name):
    (model / name).write_bytes(CONTENTS[name][:-1])
    assert told(model) == f"mine/{name} is damaged: its checksum is not the one in SHA256SUMS; {COPY}"


@given(st.sampled_from(NEEDED), st.integers(0), st.integers(1, 255))
def test_a_single_damaged_byte_is_found_wherever_it_is(tmp_path_factory, name, place, flip):
    folder = lay(tmp_path_factory.mktemp("model"))
    content = bytearray(CONTENTS[name])
    content[place % len(content)] ^= flip
    (folder / name).write_bytes(content)
    expected = f"{folder / name} is damaged: its checksum is not the one in SHA256SUMS; {COPY}"
    assert told(folder) == expected


def test_what_cannot_be_read_is_told_with_its_cause(model):
    """As a folder of somebody else is; the tests may be root, who reads all."""
    name = "a" * 300
    told_long = f"the model '{name}' cannot be read: File name too long"
    assert told(name) == f"{told_long}; see that this user may read its folder and what is in it"
    (model / SUMS).write_bytes(b"\xff\xfe")
    assert told(model) == f"mine/model.onnx is damaged: its checksum is not the one in SHA256SUMS; {COPY}"


def test_a_folder_without_checksums_is_no_model(model):
    (model / SUMS).unlink()
    assert told(model) == "mine holds no SHA256SUMS; give the folder `model` of a finished run"


def test_the_folder_of_a_run_is_told_from_its_model(model):
    lay(Path("runs/mine/model"))
    assert told("runs/mine") == "runs/mine holds no SHA256SUMS; did you mean runs/mine/model?"


@pytest.mark.parametrize("sums", ["", "\n", "one-word\n", "0000  model.onnx\n"])
def test_checksums_that_do_not_speak_of_a_file_do_not_vouch_for_it(model, sums):
    (model / SUMS).write_text(sums, encoding="utf-8")
    assert told(model) == f"mine/model.onnx is damaged: its checksum is not the one in SHA256SUMS; {COPY}"


def test_a_further_file_that_the_checksums_name_is_checked_too(model):
    with (model / SUMS).open("a", encoding="utf-8") as sums:
        sums.write("0" * 64 + "  card.json\n")
    assert told(model) == f"mine/card.json is missing; {AGAIN}"
    (model / "card.json").write_text("{}", encoding="utf-8")
    assert told(model) == f"mine/card.json is damaged: its checksum is not the one in SHA256SUMS; {COPY}"


# --- sha256sum, the program


def test_sha256sum_reads_the_checksums(model):
    checked = subprocess.run(["sha256sum", "--check", SUMS], cwd=model, capture_output=True, text=True, check=True)
    assert checked.stdout == "model.onnx: OK\nvocabulary.json: OK\n"


@pytest.mark.parametrize("option", ["--text", "--binary"])
def test_checksums_that_sha256sum_wrote_are_read(model, option):
    written = subprocess.run(["sha256sum", option, *NEEDED], cwd=model, capture_output=True, text=True, check=True)
    (model / SUMS).write_text(written.stdout, encoding="utf-8")
    assert ModelFiles.find(model).name == "mine"
