"""
The folder that the processes of a service share.

In: services that run beside each other, and folders that killed ones have left. Out: what is there when one begins.
"""

import stat
import tempfile
from pathlib import Path

import pytest

from hanpuri.errors import EngineError
from hanpuri.serving.running.folders import PREFIX, SECRET, held, shared_folder


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """Where temporary folders are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def lay(folder: Path, secret: bytes = b"s" * 32) -> Path:
    folder.mkdir()
    (folder / SECRET).write_bytes(secret)
    return folder


def test_a_service_has_a_folder_of_its_own_that_nobody_else_may_read(place):
    with shared_folder() as one, shared_folder() as other:
        assert {*place.iterdir()} == {one, other}
        assert stat.S_IMODE(one.stat().st_mode) == 0o700
        assert (one / SECRET).read_bytes() != (other / SECRET).read_bytes()
    assert list(place.iterdir()) == []


def test_what_a_killed_service_has_left_is_removed_and_nothing_else(place, tmp_path_factory):
    left, living = lay(place / f"{PREFIX}left"), lay(place / f"{PREFIX}living")
    (left / "prometheus").mkdir()
    kept = {
        living,
        lay(place / "hanpuri-other"),
        lay(place / f"{PREFIX}of-mine", b"my own words"),
        place / f"{PREFIX}begins",  # and has no secret yet
        place / f"{PREFIX}link",
    }
    (place / f"{PREFIX}begins").mkdir()
    (place / f"{PREFIX}link").symlink_to(lay(tmp_path_factory.mktemp("elsewhere") / "folder"))
    with held(living), shared_folder() as mine:
        assert {*place.iterdir()} == {mine, *kept}
    assert (place / f"{PREFIX}link" / SECRET).is_file()


def test_where_no_folder_can_be_made_it_is_one_line(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(EngineError) as raised, shared_folder():
        pass
    mend = "set TMPDIR to a folder that may be written"
    assert str(raised.value) == f"no temporary folder can be made: No such file or directory; {mend}"
