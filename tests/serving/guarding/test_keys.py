"""A ring of keys in a running service, without the service: what it says, and how it reads its file again."""

import os

import pytest

from hanpuri.errors import DataError
from hanpuri.serving.guarding.key_file import add_key, remove_key
from hanpuri.serving.guarding.keys import open_keys


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.json"


def test_whose_key_it_is(path, tmp_path):
    keys = {name: add_key(path, name) for name in ("web", "app", "job")}
    with open_keys(path, tmp_path / "rates") as ring:
        assert [ring.find(key).name for key in keys.values()] == list(keys)
        for wrong in ("", "hanpuri_", keys["web"][:-1], keys["web"].upper(), keys["web"] + "\n", "\udcff", "열쇠"):
            assert ring.find(wrong) is None


def test_the_file_is_read_again_when_it_changes(path, tmp_path):
    first = add_key(path, "first")
    with open_keys(path, tmp_path / "rates") as ring:
        second = add_key(path, "second")
        assert ring.find(second).name == "second"
        remove_key(path, "first")
        assert ring.find(first) is None


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_text("{"), "Invalid JSON: EOF while parsing an object at line 1 column 1"),
        (lambda path: path.chmod(0o666), "others than its owner can write to it (mode 666), and let themselves in"),
        (lambda path: path.unlink(), "no such file or directory"),
    ],
)
def test_while_the_file_is_broken_its_keys_stay_good_and_that_is_said_once(path, tmp_path, caplog, spoil, message):
    key = add_key(path, "web")
    with open_keys(path, tmp_path / "rates") as ring:
        spoil(path)
        assert [ring.find(key).name for _ in range(3)] == ["web"] * 3
        (said,) = caplog.messages
        assert said.startswith(f"the 1 keys read before stay good: {path}: {message}; ")
        path.unlink(missing_ok=True)
        new = add_key(path, "new")
        assert (ring.find(key), ring.find(new).name) == (None, "new")


def test_a_file_that_is_read_by_others_and_one_without_keys_are_told_of(path, tmp_path, caplog):
    add_key(path, "web")
    remove_key(path, "web")
    path.chmod(0o644)
    with open_keys(path, tmp_path / "rates"):
        pass
    assert caplog.messages == [
        f"{path} holds no key: nobody can ask; hanpuri keys add makes one",
        f"{path} can be read by others; it tells no key, but who has one: chmod 600",
    ]


def test_without_a_file_nothing_is_opened(path, tmp_path):
    with pytest.raises(DataError, match=f"^{path}: no such file or directory; make one with: hanpuri keys add"):
        open_keys(path, tmp_path / "rates").__enter__()
    assert os.listdir(tmp_path) == []


def test_addresses_of_one_network_count_as_one_and_keys_count_apart(path, tmp_path):
    add_key(path, "web")
    with open_keys(path, tmp_path / "rates") as ring:
        left = [ring.spend_failure(address).remaining for address in ("2001:db8::1", "2001:db8::2", "192.0.2.1", "")]
        assert left == [29, 28, 29, 29]
        assert ring.spend(ring.keys[0]).remaining == 599
