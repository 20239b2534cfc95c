"""The file of keys: what it tells, who may write it, and what two writers at once make of it."""

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.errors import DataError
from hanpuri.serving.guarding.key_file import add_key, hash_key, read_keys, remove_key


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.json"


def test_a_key_is_told_once_and_only_its_hash_is_kept(path):
    key = add_key(path, "web", 60)
    assert len(key) == len("hanpuri_") + 43  # 256 bits in 43 letters
    assert key not in path.read_text(encoding="utf-8")
    (stored,) = read_keys(path)
    assert (stored.name, stored.requests_per_minute, stored.sha256) == ("web", 60, hash_key(key))


def test_only_the_owner_can_read_a_new_file_and_an_old_one_stays_as_it_was(path):
    add_key(path, "web")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)  # a service that runs as another user of the group reads it
    add_key(path, "other")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_goes_on_to_name_the_file(path, tmp_path):
    add_key(path, "web")
    link = tmp_path / "link.json"
    link.symlink_to(path)
    add_key(link, "other")
    assert link.is_symlink()
    assert [key.name for key in read_keys(path)] == ["web", "other"]


def test_keys_that_are_added_at_once_are_all_kept(path):
    names = [f"client-{number}" for number in range(12)]
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda name: add_key(path, name), names))
    assert sorted(key.name for key in read_keys(path)) == sorted(names)


def test_processes_do_not_lose_each_others_keys_either(path):
    code = "import sys; from pathlib import Path; from hanpuri.serving.guarding.key_file import add_key\n"
    code += "for number in range(20): add_key(Path(sys.argv[1]), f'{sys.argv[2]}-{number}')"
    running = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in "ab"]
    assert [process.wait(60) for process in running] == [0, 0]
    assert len(read_keys(path)) == 40
    assert os.listdir(path.parent) == ["keys.json"]


def test_a_key_file_can_be_read_without_a_server_installed():
    code = "import sys, hanpuri.serving.guarding.key_file; print(sorted({'fastapi', 'uvicorn'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


HASH = "0" * 64
NO_HASH = "{path}: keys.0.sha256: String should match pattern '^[0-9a-f]{{64}}$'"
RATE = "{path}: keys.0.requests_per_minute: Input should be greater than or equal to 1"
ONE = {"name": "web", "sha256": HASH, "created": "2026-11-22T10:00:00Z"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "{path}: Invalid JSON: EOF while parsing a value at line 1 column 0"),  # empty
        ("[]", "{path}: Input should be an object"),  # another form
        ({"keys": [ONE, ONE]}, "{path}: Value error, found one name twice: web"),
        ({"keys": [ONE | {"sha256": "hanpuri_secret"}]}, NO_HASH),
        ({"keys": [ONE | {"sha256": HASH.upper() + "A"}]}, NO_HASH),
        ({"keys": [ONE | {"requests_per_minute": 0}]}, RATE),
        ({"keys": [ONE | {"key": "x"}]}, "{path}: keys.0.key: Extra inputs are not permitted"),
    ],
)
def test_a_broken_file_is_said_without_what_stands_in_it(path, content, message):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(DataError) as raised:
        read_keys(path)
    assert raised.value.message == message.format(path=path)
    assert raised.value.mend == f"move it away, and make one with: hanpuri keys add NAME --file {path}"


def test_a_file_that_others_can_write_to_is_refused(path):
    add_key(path, "web")
    path.chmod(0o620)
    with pytest.raises(DataError) as raised:
        read_keys(path)
    found = f"{path}: others than its owner can write to it (mode 620), and let themselves in"
    assert str(raised.value) == f"{found}; run: chmod 600 {path}"


def test_what_cannot_be_done_is_said(path, tmp_path):
    add_key(path, "web")
    with pytest.raises(DataError, match=f"^{path}: there is a key named web already; choose another name, or remove"):
        add_key(path, "web")
    with pytest.raises(DataError, match=f"^{path}: found no key named app; see: hanpuri keys list --file {path}$"):
        remove_key(path, "app")
    with pytest.raises(DataError, match=f"^{tmp_path}/no: found no such folder; make it first$"):
        add_key(tmp_path / "no" / "keys.json", "web")
    with pytest.raises(DataError, match=f"^{tmp_path}/none.json: no such file or directory; make one with: hanpuri"):
        read_keys(tmp_path / "none.json")
    too_long, loop = tmp_path / ("a" * 300), tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(DataError, match=f"^{too_long}: file name too long; choose another place$"):
        add_key(too_long, "web")
    with pytest.raises(DataError, match=f"^{loop}: "):
        add_key(loop, "web")
    for place in (tmp_path, "/dev/zero"):  # the second can be read without end
        with pytest.raises(DataError, match=f"^{place}: found no file there; name a file of keys$"):
            read_keys(Path(place))
    assert [key.name for key in read_keys(path)] == ["web"]


@given(name=st.text(max_size=70))
def test_every_name_is_taken_as_it_is_or_refused(tmp_path_factory, name):
    path = tmp_path_factory.getbasetemp() / "names.json"
    path.unlink(missing_ok=True)
    refused = ""
    try:
        add_key(path, name)
    except DataError as error:
        refused = str(error)
    if refused:
        assert refused.startswith(f"found a key's name of {len(name)} characters; expected a name of 1 to 64 ")
        assert not path.exists()
    else:
        assert [key.name for key in read_keys(path)] == [name]
        remove_key(path, name)
        assert read_keys(path) == ()
