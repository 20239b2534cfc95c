"""
What the pages say is true: their tables are fresh, their commands run, their links lead somewhere.

In: every Markdown page of the repository. Out: a test for each table file, command, Python block, tree and link.

A ```sh block is run, line by line, in a folder with small files; lines `# → …` under a command are its output. A
```console block is not run (it installs, trains or reads large files): its options only have to be in the command's
--help. The first ```yaml block of docs/data.md is the recipe `my.yaml` of that folder.
"""

import doctest
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from typer.testing import CliRunner

from hanpuri.cli.app import app
from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.restoring.runtime import Restorer
from tests.warm_hanpuri import warm_hanpuri

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "hanpuri"
READMES = [REPOSITORY / "README.md", REPOSITORY / "README.ko.md"]
PAGES = sorted(
    path for form in ("*.md", "docs/*.md", "corpus/*.md", "hanpuri/**/*.md") for path in REPOSITORY.glob(form)
)
RUNS = ("hanpuri ", "echo ", "cat ")
COMMANDS_WITH_EXAMPLES = (
    *("restore", "obfuscate", "evaluate", "verdict", "postprocess", "train", "adapt", "export"),
    *("prepare", "export-data", "templates", "runs", "publish", "ask", "chat", "scaling-law"),
    *("score", "sample", "prefer", "serve", "feedback", "keys"),
)
OUTPUT = "# →"

NOISY = ["확잠실읾 념뭄 잙앙욤", "뷰갸 녀뮤 좋핬써욘"]
CLEAN = ["화장실이 너무 작아요", "뷰가 너무 좋았어요"]
REVIEWS = [
    "방이 넓고 깨끗해서 좋았어요",
    "사장님이 정말 친절하셨어요",
    "방이 넓고  깨끗해서 좋았어요!!",
    "예약은 010-1234-5678로 전화하면 돼요",
    "조식 빵이 따뜻하고 맛있었어요",
    "주차장이 좁아서 조금 불편했어요",
    "역에서 가까워서 걸어 다니기 편해요",
    "침대가 푹신해서 푹 잤습니다",
    "밤에 옆방 소리가 다 들렸어요",
    "창문을 열면 바다가 보여요",
    "조식 빵이 따뜻하고 참 맛있었어요",
    "욕실에 곰팡이가 있어서 아쉬웠어요",
]
QUESTIONS = [
    ("체크인은 몇 시인가요?", "오후 세 시부터입니다."),
    ("주차할 수 있나요?", "네, 건물 뒤에 두 대까지 됩니다."),
]


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
            lines = block.splitlines()
            for number, line in enumerate(lines, 1):
                command = re.sub(r"\s+# .*", "", line)
                if command.startswith(RUNS) and command not in seen:
                    seen.add(command)
                    below = takewhile(lambda line: line.startswith(OUTPUT), lines[number:])
                    output = "".join(f"{line[len(OUTPUT) :].removeprefix(' ')}\n" for line in below)
                    yield Command(page.relative_to(REPOSITORY).as_posix(), command, output or None)


def console_commands() -> Iterator[tuple[str, str]]:
    """Every `$ hanpuri …` of every ```console block."""
    for page in PAGES:
        for block in blocks(page, "console"):
            for line in block.splitlines():
                if line.startswith("$ hanpuri "):
                    yield page.relative_to(REPOSITORY).as_posix(), re.sub(r"\s+# .*", "", line[2:])


@pytest.fixture(scope="module")
def warm():
    """What `hanpuri` is run as."""
    with warm_hanpuri(PYTHONUTF8="1") as command:
        yield shlex.join(command)


@pytest.fixture(scope="module")
def desk(tmp_path_factory, warm):
    """A folder with the files that the pages name, and `hanpuri` on the PATH."""
    folder = tmp_path_factory.mktemp("desk")
    shim = folder / "bin" / "hanpuri"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {warm} "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    rows = list(enumerate(zip(NOISY, CLEAN, strict=True)))
    files = {
        "reviews.txt": "".join(f"{noisy}\n" for noisy in NOISY),
        "clean.txt": "".join(f"{clean}\n" for clean in CLEAN),
        "reviews.csv": "id,review\n" + "".join(f"{number},{noisy}\n" for number, (noisy, _) in rows),
        "reviews.jsonl": "".join(f'{{"id": {number}, "text": "{noisy}"}}\n' for number, (noisy, _) in rows),
        "pairs.jsonl": "".join(f'{{"noisy": "{noisy}", "clean": "{clean}"}}\n' for _, (noisy, clean) in rows),
    }
    for name, text in (files | files_to_prepare()).items():
        (folder / name).write_text(text, encoding="cp949" if "cp949" in name else "utf-8")
    # Made here, so that a test of `--explain` can also be run alone; a finished set is left as it is.
    assert run("hanpuri prepare my.yaml", folder).returncode == 0
    if importlib.util.find_spec("pyarrow"):
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.table({"id": [0, 1], "review": NOISY}), folder / "reviews.parquet")
    return folder


def files_to_prepare():
    """A recipe, what it reads, and rows for templates."""
    rows = [f"{number},{text},{1 + number % 5}" for number, text in enumerate(REVIEWS, 1)]
    asked = ({"question": question, "answer": answer} for question, answer in QUESTIONS)
    return {
        "my.yaml": blocks(REPOSITORY / "docs" / "data.md", "yaml")[0],
        "reviews_cp949.csv": "".join(f"{row}\n" for row in ["번호,후기,별점", *rows]),
        "questions.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in asked),
    }


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
        assert finished.stdout == command.output


@cache
def help_of(verb):
    """What `hanpuri VERB --help` prints; in this process, as there are forty verbs and each would take a second."""
    told = CliRunner().invoke(app, [*verb.split(), "--help"], prog_name="hanpuri", env={"COLUMNS": "200"})
    assert told.exit_code == 0, told.output
    return told.stdout


@pytest.mark.parametrize(("page", "line"), list(console_commands()))
def test_a_command_that_is_only_shown_has_options_that_exist(page, line):
    _, verb, *rest = shlex.split(line)
    if verb in ("prefer", "feedback", "keys"):
        verb = f"{verb} {rest.pop(0)}"
    known = re.findall(r"--[a-z-]+", help_of(verb))
    unknown = [word for word in rest if word.startswith("--") and word not in known]
    assert unknown == [], page


@pytest.mark.parametrize("readme", READMES, ids=[path.name for path in READMES])
def test_the_table_of_engines_is_the_one_that_was_measured(readme):
    from benchmarks.engines import make_tables, read_results

    text = readme.read_text(encoding="utf-8")
    shown = text.partition("<!-- engines:begin -->")[2].partition("<!-- engines:end -->")[0]
    assert shown.strip() == make_tables(read_results(), korean=readme.name == "README.ko.md").strip()


@pytest.mark.parametrize("verb", COMMANDS_WITH_EXAMPLES)
def test_help_ends_with_the_examples_that_the_readme_promises(verb):
    for readme in READMES:
        assert f"`{verb}`" in readme.read_text(encoding="utf-8")
    assert re.search(r"^\s*Examples\s*$", help_of(verb), re.MULTILINE)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_the_python_of_a_page_gives_what_the_page_shows(page):
    text = "\n".join(blocks(page, "python"))
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    report: list[str] = []
    results = doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert results.failed == 0, "".join(report)
    assert results.attempted > 0


# --- what is said to bad input

BAD_INPUT = [
    # nothing in it
    ("text", "empty.csv", "", ""),
    # another name for what the recipe looks for
    ("text", "names.csv", "id,review\n1,좋아요\n", "fields: {text: revew}"),
    # the second row has one cell less than the header
    ("text", "cells.csv", "id,text\n1,좋아요\n별로예요\n", ""),
    # of four rows one is right
    ("text", "mixed.jsonl", '{"text": "좋아요"}\n{"text": 5}\n{"text": null}\n{"txt": "별로"}\n', ""),
    # the recipe says what the id is
    ("text", "twice.csv", "id,text\n7,방이 넓어요\n7,침대가 푹신해요\n", "fields: {id: id}"),
    # 100 MB without a line end
    ("text", "long.txt", None, ""),
    # the template has a field that no row has
    ("pairs", "pairs.jsonl", '{"noisy": "넙어요", "clean": "넓어요"}\n', "examples: {template: mine.yaml}"),
    # a tokenizer.json alone, without the file that says which token is eos
    ("pairs", "pairs.jsonl", '{"noisy": "넙어요", "clean": "넓어요"}\n', "examples: {tokenizers: [model]}"),
]


@pytest.fixture(scope="module")
def bad_desk(tmp_path_factory):
    """A folder with a template that names a wrong field, and a tokenizer without eos."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "mine.yaml").write_text('prompt_pairs: "{noisey}\\n"\n', encoding="utf-8")
    (folder / "model").mkdir()
    letters = {letter: id for id, letter in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    tokenizer = Tokenizer(models.BPE(letters, []))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.save(str(folder / "model" / "tokenizer.json"))
    (folder / "bin").mkdir()
    return folder


@pytest.mark.parametrize(("form", "name", "text", "more"), BAD_INPUT, ids=str)
def test_bad_input_is_told_what_the_page_shows(form, name, text, more, bad_desk, warm):
    of_source, of_recipe = (more, "") if more.startswith("fields") else ("", more)
    (bad_desk / name).write_text("가" * 33_500_000 if text is None else text, encoding="utf-8")
    recipe = f"kind: prepare\nname: bad\nform: {form}\nsources: [{{path: {name}, {of_source}}}]\n{of_recipe}\n"
    (bad_desk / "bad.yaml").write_text(recipe, encoding="utf-8")
    finished = run(f"rm -rf prepared; {warm} prepare bad.yaml", bad_desk)
    told = finished.stderr.removeprefix("hanpuri: ").removesuffix("\n")
    assert (finished.returncode, finished.stdout) == (2, "")
    assert f" | `` {told} `` |" in (REPOSITORY / "docs" / "data.md").read_text(encoding="utf-8")


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
    (restored,) = Restorer("base", threads=1).restore(["방 구조가 왜 일헌쥐"])
    assert restored.text == "방 구조가 왜 일혀지"
    assert Restorer("base", threads=1).restore(["뷰"])[0].text == "부"
    told = ("방 구조가 왜 일헌쥐", "일혀지", "뷰")
    assert all(one in readme.read_text(encoding="utf-8") for one in told for readme in READMES)


def test_the_two_readmes_show_the_same_commands_and_the_same_tree():
    both = [[re.sub(r"\s+# [^→].*", "", block) for block in blocks(readme, "sh")] for readme in READMES]
    assert both[0] == both[1]
    (recipe,), (same,) = (blocks(readme, "yaml") for readme in READMES)
    assert recipe == same == blocks(REPOSITORY / "docs" / "data.md", "yaml")[0]
    assert tree_paths(READMES[0]) == tree_paths(READMES[1])
