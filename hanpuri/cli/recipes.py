"""Recipes by path or by the name of a shipped one."""

import difflib
import re
from pathlib import Path

from hanpuri.errors import RecipeError

SHIPPED = Path(__file__).parent.parent / "recipes"


def find_recipe(recipe: str, *kinds: str) -> Path:
    """
    Find a recipe by its path, or a shipped one by its name; else the nearest is named, or all of the wanted kinds.

    Raises:
        RecipeError: if there is neither.
    """
    shipped = {path.stem: path for path in SHIPPED.glob("*.yaml")}
    if Path(recipe).is_file():
        return Path(recipe)
    if recipe in shipped:
        return shipped[recipe]
    wanted = sorted(name for name, path in shipped.items() if _kind_of(path) in kinds)
    beside = [str(path) for path in Path(recipe).parent.glob("*.y*ml") if path.is_file()]
    near = difflib.get_close_matches(recipe, [*wanted, *beside], n=1)
    if near:
        raise RecipeError(f"no recipe is called {recipe!r}", f"did you mean {near[0]}?")
    found = f"no recipe is called {recipe!r}; shipped are {', '.join(wanted)}"
    raise RecipeError(found, "give a recipe file, or one of these names")


def _kind_of(path: Path) -> str:
    found = re.search(r"^kind: (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""
