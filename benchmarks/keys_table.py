"""
The fields of a recipe's classes ─► the table of its keys in the docs.

In:  SftRecipe.   Out: Markdown, a row a key: its name, its default, the sentence under the field.
"""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel

HEAD = "| key | default | what it says |\n|---|---|---|"


def keys(recipe: type[BaseModel], without: tuple[str, ...] = ()) -> str:
    """Make the table of a recipe's keys; `without` sections that this kind shares and refuses."""
    rows = [
        [f"`{key}`", default, what] for key, default, what in _fields(recipe, "") if not f"{key}.".startswith(without)
    ]
    return "\n".join([HEAD, *(f"| {' | '.join(row)} |" for row in rows)])


def _fields(settings: type[BaseModel], section: str) -> Iterator[tuple[str, str, str]]:
    for name, field in settings.model_fields.items():
        inner, several = _section_in(field.annotation)
        if field.description:
            yield section + name, _default(field), field.description.replace("<", "&lt;")
        elif inner is None:
            yield section + name, _default(field), f"`{get_args(field.annotation)[0]}`"
        if inner is not None:
            yield from _fields(inner, f"{section}{name}{'[]' if several else ''}.")


def _section_in(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Find the settings class in a field's type, and whether the field holds several of it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for inner in get_args(annotation):
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            return inner, get_origin(annotation) is tuple
    return None, False


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    if isinstance(value, BaseModel) or (isinstance(value, list) and any(isinstance(one, BaseModel) for one in value)):
        return ""  # the keys below say it
    return "" if value in (None, "", []) else f"`{str(value).lower() if isinstance(value, bool) else value}`"
