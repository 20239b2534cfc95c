"""
Recipes as they stand in run folders: what differs between two of them, and what in one of them is no default.

In: what two recipe.yaml hold.   Out: the keys that differ, as an override would name them:

    [("training.learning_rate", 0.0002, 0.0001), ("watch.trackers", [], ["wandb"])]
"""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

ABSENT = object()
MAX_SHOWN = 60  # characters of a value


def differences(before: Any, after: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    """
    List the keys whose values differ: (dotted key, before, after), where ABSENT stands for no such key.

    >>> differences({"a": {"b": 1, "c": [1, 2]}, "d": 1}, {"a": {"b": 2, "c": [1, 3]}, "d": 1})
    [('a.b', 1, 2), ('a.c.1', 2, 3)]
    """
    if before == after and type(before) is type(after):
        return []
    ours, theirs = _parts(before), _parts(after)
    if ours is None or theirs is None or type(before) is not type(after):
        return [(key, before, after)] if before != after else []
    names = list(dict.fromkeys([*ours, *theirs]))
    found = [
        differences(ours.get(name, ABSENT), theirs.get(name, ABSENT), f"{key}.{name}".strip(".")) for name in names
    ]
    return [one for each in found for one in each]


def _parts(value: Any) -> dict[str, Any] | None:
    """Give the parts of a section or list by their names, None for what has none."""
    if isinstance(value, list):
        return {str(index): part for index, part in enumerate(value)}
    return {str(name): part for name, part in value.items()} if isinstance(value, dict) else None


def value_at(whole: Any, dotted: str, default: Any = None) -> Any:
    """
    Look a dotted key up, items of lists by their number; `default` if there is no such key.

    >>> value_at({"data": [{"path": "a.txt"}]}, "data.0.path"), value_at({}, "data.0")
    ('a.txt', None)
    """
    for part in dotted.split("."):
        if isinstance(whole, list) and part.isdecimal() and int(part) < len(whole):
            whole = whole[int(part)]
        elif isinstance(whole, Mapping) and part in whole:
            whole = whole[part]
        else:
            return default
    return whole


def say_difference(key: str, before: Any, after: Any) -> str:
    """
    Say one difference.

    >>> say_difference("training.learning_rate", 0.0002, 0.0001)
    'training.learning_rate 0.0002 → 0.0001'
    """
    return f"{key} {say_value(before)} → {say_value(after)}"


def say_value(value: Any) -> str:
    """
    Write a value as a recipe would hold it, a long one cut.

    >>> [say_value(value) for value in ("가나", None, True, [1, "b"], ABSENT)]
    ['가나', 'null', 'true', '[1, "b"]', '(not there)']
    """
    if value is ABSENT:
        return "(not there)"
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def is_below(key: str, sections: Collection[str]) -> bool:
    """
    Say whether a key is one of the sections or keys named, or lies in one of them.

    >>> [is_below(key, ["watch.trackers", "name"]) for key in ("watch.trackers.0", "watch", "name")]
    [True, False, True]
    """
    return any(key == section or key.startswith(section + ".") for section in sections)


def chosen_values(recipe: Mapping[str, Any], settings: type[BaseModel], key: str = "") -> Iterator[tuple[str, Any]]:
    """Give what a recipe says on its own account: each required key, and each whose value is not the default."""
    for name, field in settings.model_fields.items():
        if name not in recipe:
            continue
        value, dotted = recipe[name], f"{key}.{name}".strip(".")
        section = _section(field.annotation)
        default = ABSENT if field.is_required() else to_jsonable_python(field.get_default(call_default_factory=True))
        if value == default:
            continue
        if isinstance(value, dict) and section is not None:
            inner = list(chosen_values(value, section, dotted))
            yield from inner or [(dotted, "as by default")]
        else:
            yield dotted, value


def _section(annotation: Any) -> type[BaseModel] | None:
    """Find the settings class that a field holds one of, as in `AdapterSettings | None`; lists are shown whole."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if getattr(annotation, "__origin__", None) in (tuple, list, dict):
        return None
    return next((found for inner in get_args(annotation) if (found := _section(inner))), None)
