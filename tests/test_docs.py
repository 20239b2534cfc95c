"""
What the pages say is true: their tables are fresh, their commands run, their links lead somewhere.

In: every Markdown page of the repository. Out: a test for each table file, command, Python block, tree and link.

A ```sh block is run, line by line, in a folder with small files; a line `# → …` under a command is its output. A
```console block is not run (it installs or trains): its options only have to be in the command's --help.
"""

import doctest
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.runtime import Restorer

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "hanpuri"
READMES = [REPOSITORY / "README.md", REPOSITORY / "README.ko.md"]
PAGES = sorted(
    path for form in ("*.md", "docs/*.md", "corpus/*.md", "hanpuri/**/*.md") for path in REPOSITORY.glob(form)
)
RUNS = ("hanpuri ", "echo ", "cat ")
COMMANDS_WITH_EXAMPLES = ("restore", "obfuscate", "evaluate", "train", "export")
OUTPUT = "# → "

NOISY = ["확잠실읾 념뭄 잙앙욤", "뷰갸 녀뮤 좋핬써욘"]
CLEAN = ["화장실이 너무 작아요", "뷰가 너무 좋았어요"]


class Command(NamedTuple):
    """A line of a ```sh block, and the output that the page shows for it (None, if it shows none)."""

    page: str
    line: str
    output: str | None


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page that are marked with a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def shell_commands() -> Iterator[Command]:
    """Every command of every ```sh block, each only once."""
    seen = set()
    for page in PAGES:
        for block in blocks(page, "sh"):
            lines = [*block.splitlines(), ""]
            for line, below in pairwise(lines):
                command = re.sub(r"\s+# .*", "", line)
                if command.startswith(RUNS) and command not in seen:
                    seen.add(command)
                    output = below.removeprefix(OUTPUT) if below.startswith(OUTPUT) else None
                    yield Command(page.relative_to(REPOSITORY).as_posix(), command, output)


def console_commands() -> Iterator[tuple[str, str]]:
    """Every `$ hanpuri …` of every ```console block."""
    for page in PAGES:
        for block in blocks(page, "console"):
            for line in block.splitlines():
                if line.startswith("$ hanpuri "):
                    yield page.relative_to(REPOSITORY).as_posix(), re.sub(r"\s+# .*", "", line[2:])


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with the files that the pages name, and `hanpuri` on the PATH."""
    folder = tmp_path_factory.mktemp("desk")
    shim = folder / "bin" / "hanpuri"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m hanpuri "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    rows = list(enumerate(zip(NOISY, CLEAN, strict=True)))
    files = {
        "reviews.txt": "".join(f"{noisy}\n" for noisy in NOISY),
        "clean.txt": "".join(f"{clean}\n" for clean in CLEAN),
        "reviews.csv": "id,review\n" + "".join(f"{number},{noisy}\n" for number, (noisy, _) in rows),
        "reviews.jsonl": "".join(f'{{"id": {number}, "text": "{noisy}"}}\n' for number, (noisy, _) in rows),
        "pairs.jsonl": "".join(f'{{"noisy": "{noisy}", "clean": "{clean}"}}\n' for _, (noisy, clean) in rows),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    if importlib.util.find_spec("pyarrow"):
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.table({"id": [0, 1], "review": NOISY}), folder / "reviews.parquet")
    return folder


def run(command, desk):
    """Run a line in a shell, in the folder `desk`."""
    environment = {
        **os.environ,
        "PATH": f"{desk / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONUTF8": "1",
        "COLUMNS": "200",
    }
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=desk,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def test_every_table_is_fresh(desk):
    finished = run(f"{shlex.quote(sys.executable)} {REPOSITORY}/benchmarks/write_tables.py --check", desk)
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.parametrize("command", list(shell_commands()), ids=lambda command: command.line)
def test_a_command_of_the_pages_runs_and_gives_what_the_page_shows(command, desk):
    finished = run(command.line, desk)
    assert finished.returncode == 0, f"{command.page}: {finished.stderr}"
    if command.output is not None:
        assert finished.stdout == f"{command.output}\n"


@cache
def help_of(verb, desk):
    """What `hanpuri VERB --help` prints."""
    finished = run(f"hanpuri {verb} --help", desk)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.parametrize(("page", "line"), list(console_commands()))
def test_a_command_that_is_only_shown_has_options_that_exist(page, line, desk):
    _, verb, *rest = shlex.split(line)
    known = re.findall(r"--[a-z-]+", help_of(verb, desk))
    unknown = [word for word in rest if word.startswith("--") and word not in known]
    assert unknown == [], page


@pytest.mark.parametrize("verb", COMMANDS_WITH_EXAMPLES)
def test_help_ends_with_the_examples_that_the_readme_promises(verb, desk):
    for readme in READMES:
        assert f"`{verb}`" in readme.read_text(encoding="utf-8")
    assert re.search(r"^\s*Examples\s*$", help_of(verb, desk), re.MULTILINE)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_the_python_of_a_page_gives_what_the_page_shows(page):
    text = "\n".join(blocks(page, "python"))
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    report: list[str] = []
    results = doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert results.failed == 0, "".join(report)
    assert results.attempted > 0


# --- the tree


def tree_paths(readme: Path) -> list[str]:
    """The paths that a README's tree names, such as `hanpuri/noise`."""
    (tree,) = [block for block in blocks(readme, "text") if block.startswith("hanpuri/\n")]
    paths, folder = [], ""
    for line in tree.splitlines():
        match = re.match(r"(?P<branch>[├└]── )?(?P<name>\S+)", line)
        assert match is not None
        if match["branch"] is None:
            folder = match["name"]
        paths.append((folder if match["branch"] else "") + match["name"])
    return paths


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: readme.name)
def test_the_tree_names_only_what_exists(readme):
    assert [path for path in tree_paths(readme) if not (REPOSITORY / path).exists()] == []


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: readme.name)
def test_the_tree_names_every_folder_of_the_package(readme):
    folders = [folder for folder in PACKAGE.iterdir() if folder.is_dir() and folder.name != "__pycache__"]
    with_files = [folder for folder in folders if any(path.is_file() for path in folder.glob("[!_.]*"))]
    with_files += [folder for folder in folders if any(folder.glob("*/*.onnx"))]
    missing = {f"hanpuri/{folder.name}/" for folder in with_files} - set(tree_paths(readme))
    assert missing == set()


# --- links and facts


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_relative_link_leads_somewhere(page):
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_the_readmes_give_the_size_of_the_models():
    small, base = (round(files.num_bytes / 1e6) for files in ModelFiles.shipped())
    assert f"{small} or {base} MB" in READMES[0].read_text(encoding="utf-8")
    assert f"{small} MB 또는 {base} MB" in READMES[1].read_text(encoding="utf-8")


def test_the_failure_that_the_pages_tell_of_is_still_there():
    (restored,) = Restorer("small", threads=1).restore(NOISY[:1])
    assert restored.text == "화장실이 너무 밝아요"


def test_the_two_readmes_show_the_same_commands_and_the_same_tree():
    both = [[re.sub(r"\s+# [^→].*", "", block) for block in blocks(readme, "sh")] for readme in READMES]
    assert both[0] == both[1]
    assert tree_paths(READMES[0]) == tree_paths(READMES[1])
