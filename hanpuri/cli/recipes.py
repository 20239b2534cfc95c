"""Recipes by path or by the name of a shipped one."""

import difflib
from pathlib import Path

from hanpuri.errors import RecipeError

SHIPPED = Path(__file__).parent.parent / "recipes"


def find_recipe(recipe: str) -> Path:
    """
    Find a recipe by its path, or a shipped one by its name.

    Raises:
        RecipeError: if there is neither.
    """
    shipped = {path.stem: path for path in SHIPPED.glob("*.yaml")}
    if Path(recipe).is_file():
        return Path(recipe)
    if recipe in shipped:
        return shipped[recipe]
    near = difflib.get_close_matches(recipe, shipped, n=1)
    hint = f"did you mean {near[0]}?" if near else "give a recipe file, or one of these names"
    raise RecipeError(f"no recipe is called {recipe!r}; shipped are {', '.join(sorted(shipped))}", hint)
