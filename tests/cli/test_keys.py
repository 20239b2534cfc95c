"""`hanpuri keys`: what a person sees who makes, lists and takes away keys."""

import json
import re
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hanpuri.cli import keys
from hanpuri.cli.app import app
from hanpuri.serving.guarding.key_file import read_keys

ONCE = "keys.json keeps only its hash: this is the one time that the key is told\n"


def test_a_key_is_made_and_told_once(hanpuri, tmp_path):
    added = hanpuri("keys", "add", "web", "--file", "keys.json", "--requests-per-minute", "60")
    assert (added.code, added.err) == (0, ONCE)
    assert re.fullmatch(r"hanpuri_[\w-]{43}\n", added.out)  # it alone, to be piped into where secrets are kept
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert added.out.strip() not in (tmp_path / "keys.json").read_text(encoding="utf-8")

    again = hanpuri("keys", "add", "web")
    found = "keys.json: there is a key named web already; choose another name, or remove it first"
    assert (again.code, again.out, again.err) == (2, "", f"hanpuri: {found}\n")


def test_keys_are_listed_and_removed(tmp_path, capsys):
    path = tmp_path / "keys.json"
    keys.add(path, "web", 60, as_json=False)
    keys.add(path, "nightly-job", 6000, as_json=False)
    capsys.readouterr()
    keys.show(path, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "name         created               requests per minute"
    assert re.fullmatch(r"web          20[-\dT:]+Z                   60", lines[1])
    assert re.fullmatch(r"nightly-job  20[-\dT:]+Z                6,000", lines[2])
    keys.remove(path, "web", as_json=False)
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"web is removed from {path}\n")
    assert [key.name for key in read_keys(path)] == ["nightly-job"]


def test_for_programs_there_is_json(tmp_path, capsys):
    path = tmp_path / "keys.json"

    def told() -> dict[str, object]:
        return json.loads(capsys.readouterr().out)

    keys.add(path, "web", 600, as_json=True)
    added = told()
    assert re.fullmatch(r"hanpuri_[\w-]{43}", str(added.pop("key")))
    assert added == {"name": "web", "file": str(path)}
    keys.show(path, as_json=True)
    listed = told()
    assert (listed["name"], listed["requests_per_minute"]) == ("web", 600)
    assert sorted(listed) == ["created", "name", "requests_per_minute"]  # and no hash
    keys.remove(path, "web", as_json=True)
    assert told() == {"name": "web", "removed": True}


@pytest.mark.parametrize("command", [[], ["add"], ["list"], ["remove"]])
def test_help_shows_examples(command):
    done = CliRunner().invoke(app, ["keys", *command, "--help"])
    assert done.exit_code == 0
    assert "hanpuri keys add web --file keys.json" in done.stdout.partition("Examples")[2]


def test_without_a_word_the_file_is_one_in_the_folder():
    assert Path("keys.json") == keys.USUAL_FILE
