"""
The rules of the house, held by reading the source.

In: the tree of a package. Out: one line a violation, such as
`hanpuri/noise/rules.py:3: noise imports data, which lies further down the road`.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "hanpuri"

# A room imports only rooms of earlier rows; rooms of one row do not know each other.
# "door" is hanpuri/__init__.py, which offers the road up to the scores; serving, scale and cli may walk in through it.
ROAD = (
    ("hangul", "errors"),
    ("noise",),
    ("hiding",),
    ("unhiding",),
    ("data",),
    ("compact", "training"),
    ("engines",),
    ("evaluation",),
    ("preferences",),
    ("rounds",),
    ("door",),
    ("serving", "scale"),
    ("cli",),
    ("__main__",),
)
PLACE = {room: place for place, row in enumerate(ROAD) for room in row}
GROUND = {"hangul", "errors"}  # import nothing of ours
BESIDE_THE_ROAD = {"recipe", "runs", "pages"}  # known to every stage, know no stage
SHELVES = {"recipes", "models", "samples", "templates"}  # hold files, not code
NAMES_THAT_SAY_NOTHING = {"util", "utils", "helper", "helpers", "common", "misc"}


def modules(package: Path) -> Iterator[tuple[Path, str, ast.Module]]:
    """Every module below `package`: its path, its path as a report names it, its syntax tree."""
    for path in sorted(package.rglob("*.py")):
        yield path, path.relative_to(package.parent).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def room_of(dotted: str) -> str:
    """The room that a dotted name lies in: `hanpuri.noise.rules` in `noise`, `hanpuri.restore` behind the `door`."""
    room = [*dotted.split("."), "door"][1]
    return room if room in PLACE.keys() | BESIDE_THE_ROAD | SHELVES else "door"


def imports(tree: ast.Module, parent: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each import, those inside functions too; relative ones are resolved against `parent`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = parent.split(".")[: len(parent.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*up, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def fault(room: str, target: str) -> str | None:
    """What is wrong with `room` importing `target`, or None."""
    if room == target:
        return None
    if room in GROUND | SHELVES:
        return f"{room} imports {target}, but imports nothing of ours"
    if room in BESIDE_THE_ROAD:
        return None if target in GROUND | BESIDE_THE_ROAD else f"{room} imports {target}, but knows no stage"
    if target in BESIDE_THE_ROAD | SHELVES or PLACE[target] < PLACE[room]:
        return None
    if PLACE[target] == PLACE[room]:
        return f"{room} imports {target}, which stands beside it"
    return f"{room} imports {target}, which lies further down the road"


def wrong_way_imports(package: Path) -> list[str]:
    """Imports against the road, and rooms that have no place on it."""
    found = []
    for path, name, tree in modules(package):
        inside = path.relative_to(package).with_suffix("").parts
        room = "door" if inside == ("__init__",) else inside[0]
        if room not in PLACE.keys() | BESIDE_THE_ROAD | SHELVES:
            found.append(f"{name}:1: {room} has no place on the road: give it one in ROAD, or move it into a room")
            continue
        for line, dotted in imports(tree, parent=".".join([package.name, *inside[:-1]])):
            ours = dotted.split(".")[0] == package.name
            if ours and dotted != f"{package.name}.__version__" and (what := fault(room, room_of(dotted))):
                found.append(f"{name}:{line}: {what}")
    return found


def names_that_say_nothing(package: Path) -> list[str]:
    """Modules and folders called utils and the like."""
    return [
        f"{path.relative_to(package.parent).as_posix()}: name it after what it does"
        for path in sorted(package.rglob("*"))
        if (path.is_dir() or path.suffix == ".py") and path.stem.strip("_").lower() in NAMES_THAT_SAY_NOTHING
    ]


def modules_without_a_docstring(package: Path) -> list[str]:
    """Modules that do not say what comes in and what goes out."""
    return [f"{name}:1: has no module docstring" for _, name, tree in modules(package) if not ast.get_docstring(tree)]


@pytest.mark.parametrize("rule", [wrong_way_imports, names_that_say_nothing, modules_without_a_docstring])
def test_the_package_keeps_the_rule(rule):
    assert rule(PACKAGE) == []


# --- the checks themselves, on small made-up trees


def plant(root: Path, **sources: str) -> Path:
    """Write a package `hanpuri` below `root`; in a key, `__` stands for the slash: `noise__rules`."""
    for name, source in sources.items():
        path = root / "hanpuri" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return root / "hanpuri"


@pytest.mark.parametrize(
    ("module", "source", "message"),
    [
        # absolute, in each form of the statement
        (
            "noise__rules",
            "import hanpuri.data.files.sources",
            "1: noise imports data, which lies further down the road",
        ),
        ("noise__rules", "from hanpuri.data import sources", "1: noise imports data, which lies further"),
        ("noise__rules", "from hanpuri import data", "1: noise imports data, which lies further"),
        # relative, from a module and from a sub-folder
        ("data__sources", "from ..engines.base import Engine", "1: data imports engines, which lies further"),
        ("data__sources", "from .. import cli", "1: data imports cli, which lies further"),
        ("serving__page__form", "from ...cli import main", "1: serving imports cli, which lies further"),
        # inside a function, or for the type checker alone
        ("engines__base", "def f():\n    import hanpuri.evaluation", "2: engines imports evaluation, which lies"),
        ("data__quality", "if TYPE_CHECKING:\n    from hanpuri.training import sft", "2: data imports training, which"),
        # neighbours
        ("compact__network", "from hanpuri.training import sft", "1: compact imports training, which stands beside it"),
        ("scale__prepare", "from hanpuri.serving import app", "1: scale imports serving, which stands beside it"),
        # a stage that goes round by the door
        ("engines__base", "from hanpuri import restore", "1: engines imports door, which lies further"),
        ("noise__rules", "import hanpuri", "1: noise imports door, which lies further"),
        # the ground, and what stands beside the road
        ("hangul", "from .errors import HanpuriError", "1: hangul imports errors, but imports nothing of ours"),
        ("errors", "import hanpuri.recipe", "1: errors imports recipe, but imports nothing of ours"),
        ("recipe", "from .training import sft", "1: recipe imports training, but knows no stage"),
        ("runs", "from hanpuri.noise import rules", "1: runs imports noise, but knows no stage"),
        # a room nobody planned
        ("attic", "", "1: attic has no place on the road"),
        ("attic__box", "", "1: attic has no place on the road"),
    ],
)
def test_an_import_against_the_road_is_reported(tmp_path, module, source, message):
    package = plant(tmp_path, **{module: source})
    (found,) = wrong_way_imports(package)
    assert found.startswith(f"hanpuri/{module.replace('__', '/')}.py:{message}")


def test_the_door_may_not_lead_to_the_command_line(tmp_path):
    package = tmp_path / "hanpuri"
    package.mkdir()
    (package / "__init__.py").write_text("from .cli import main", encoding="utf-8")
    assert wrong_way_imports(package) == [
        "hanpuri/__init__.py:1: door imports cli, which lies further down the road",
    ]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("noise__rules", "from ..hangul import decompose\nfrom ..errors import HanpuriError"),
        ("noise__obfuscate", "from . import rules\nfrom .channel import Channel\nimport hanpuri.noise.airbnb"),
        ("noise__channel", "import numpy as np\nimport datasets\nfrom dataclasses import dataclass"),
        ("engines__compact", "from hanpuri.compact.restoring import runtime\nfrom hanpuri.runs import Run"),
        ("engines__compact", "import hanpuri.models"),
        ("runs", "from . import recipe\nfrom hanpuri import __version__"),
        ("cli", "import hanpuri\nfrom hanpuri import restore, serving"),
        # a library that is named like one of our rooms, or starts like us
        ("noise__rules", "import training\nimport hanpuri_extras.cli"),
    ],
)
def test_an_import_along_the_road_is_not_reported(tmp_path, module, source):
    assert wrong_way_imports(plant(tmp_path, **{module: source})) == []


def test_an_empty_name_is_reported_for_modules_and_folders(tmp_path):
    package = plant(tmp_path, noise__rules="", noise___helpers="", data__utils__text="", common="")
    assert names_that_say_nothing(package) == [
        "hanpuri/common.py: name it after what it does",
        "hanpuri/data/utils: name it after what it does",
        "hanpuri/noise/_helpers.py: name it after what it does",
    ]


def test_a_missing_docstring_is_reported(tmp_path):
    package = plant(tmp_path, hangul='"""Syllables."""', noise__rules="# rules\nRULES = ()", errors='""')
    assert modules_without_a_docstring(package) == [
        "hanpuri/errors.py:1: has no module docstring",
        "hanpuri/noise/rules.py:1: has no module docstring",
    ]


# --- what an import loads


def loaded_by(statement: str) -> set[str]:
    """The names in sys.modules after `statement` in a fresh interpreter."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return set(json.loads(finished.stdout.splitlines()[-1]))


def test_importing_hanpuri_loads_no_heavy_library_and_no_stage_beyond_the_noise():
    beyond_the_noise = {f"hanpuri.{room}" for row in ROAD[2:] for room in row}
    assert loaded_by("import hanpuri") & ({"torch", "transformers", "onnxruntime"} | beyond_the_noise) == set()


@pytest.mark.parametrize("module", ["hanpuri.cli.app", "hanpuri.training.recipe"])
def test_importing_what_only_reads_and_checks_loads_neither_torch_nor_transformers(module):
    assert loaded_by(f"import {module}") & {"torch", "transformers", "trl", "peft", "datasets", "matplotlib"} == set()


def test_what_a_fresh_interpreter_loads_is_seen():
    loaded = loaded_by("import wave")
    assert "wave" in loaded
    assert "torch" not in loaded
