"""
A recipe (YAML) ─► checked, frozen settings; all faults of a file at once, the nearest key named.

In:  `kind: compact`, `name: base`, … in a file.   Out: the settings class that the kind stands for, or one RecipeError.

Nothing here knows a stage: a stage hands in its settings class, whose fields carry a sentence each.
"""

import copy
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from hanpuri.errors import RecipeError


class Settings(BaseModel):
    """The base of all settings: frozen, and a key that no field has is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Kind = TypeVar("Kind", bound=Settings)


def _check_name(name: str) -> str:
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(
            "a folder's name is made of letters, digits, _, - and ., and begins with one of the first three"
        )
    return name


FolderName = Annotated[str, AfterValidator(_check_name)]
"""A name that a folder gets: it cannot lead out of the one above it."""


def read_recipe(path: Path, kinds: Mapping[str, type[Settings]], overrides: Sequence[str] = ()) -> Settings:
    """
    Read a recipe file, lay `key.sub=value` and `items.0.sub=value` overrides over it, and check the whole.

    Args:
        path: the YAML file.
        kinds: the settings class of each `kind`.
        overrides: such as "training.steps=100"; the value is read as YAML.

    Raises:
        RecipeError: if the file or an override cannot be read; else with every wrong key and value, in one line.
    """
    fields = _read_yaml(path)
    for override in overrides:
        _lay_over(fields, override)
    kind = fields.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        expected = f"expected one of {', '.join(kinds)}"
        raise RecipeError(f"{path}: kind is {kind!r}, {expected}", f"write e.g. `kind: {next(iter(kinds))}`")
    return check_settings(str(path), kinds[kind], fields)


def check_settings(
    where: str,
    kind: type[Kind],
    fields: Mapping[str, Any],
    overrides: Sequence[str] = (),
    mend: str = "mend these keys, or see the shipped recipes",
) -> Kind:
    """
    Make settings of fields that stood elsewhere than in a recipe, such as on the command line.

    Args:
        where: how errors name the place.
        kind: the settings class.
        fields: its keys and values.
        overrides: laid over the fields, as in `read_recipe`.
        mend: what the user is told to do about faults.

    Raises:
        RecipeError: with every wrong key and value, in one line.
    """
    merged = copy.deepcopy(dict(fields))
    for override in overrides:
        _lay_over(merged, override)
    try:
        return kind.model_validate(merged)
    except ValidationError as error:
        faults = [_describe(fault, kind) for fault in error.errors()]
        raise RecipeError(f"{where}: " + "; ".join(faults), mend) from None


def dump_recipe(settings: Settings) -> str:
    """Write settings as YAML, every default spelled out: what a run keeps as its resolved recipe."""
    return yaml.safe_dump(settings.model_dump(mode="json"), allow_unicode=True, sort_keys=False)


class _Loader(yaml.SafeLoader):
    """YAML in which no key stands twice: plain YAML would take the last one and lose the first in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"{key.value} stands twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        fields = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}", "give the path of a recipe file") from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is not UTF-8: {error.reason} at byte {error.start}", "save it as UTF-8") from None
    except (yaml.YAMLError, ValueError) as error:  # a ValueError is a date such as 2024-13-01
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise RecipeError(f"{path}{line}: not YAML: {_problem(error)}", "mend the file there") from None
    if not isinstance(fields, dict):
        found = "nothing" if fields is None else type(fields).__name__
        raise RecipeError(f"{path} holds {found}, expected keys and values", "begin with `kind:`")
    return fields


def _problem(error: Exception) -> str:
    """Say what the YAML reader stumbled over, without its picture of the place."""
    return str(getattr(error, "problem", None) or error)


def _lay_over(fields: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    *parents, last = key.split(".")
    if not equals or not all([*parents, last]):
        raise RecipeError(f"the override {override!r} is no key with a value", "write it as key=value or key.sub=value")
    place: Any = fields
    for depth, parent in enumerate(parents, start=1):
        _need_list(place, parent, parents[: depth - 1], override)
        place = _step_into(place, parent, override)
        if not isinstance(place, dict | list):
            whole = ".".join(parents[:depth])
            raise RecipeError(
                f"the override {override!r} goes into {whole}, which holds no keys", f"set the whole: {whole}=…"
            )
    _need_list(place, last, parents, override)
    try:
        found = yaml.load(value, _Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError(
            f"the override {override!r} is not YAML: {_problem(error)}", "put the value in quotes"
        ) from None
    if isinstance(place, list):
        place[_item(place, last, override)] = found
    else:
        place[last] = found


def _need_list(place: Any, part: str, parents: list[str], override: str) -> None:
    """Refuse a number where the file has no list: as a key of a new section it would mean something else."""
    if parents and part.isdecimal() and isinstance(place, dict) and part not in place:
        whole = ".".join(parents)
        found = f"the override {override!r} goes into item {part} of {whole}, which the recipe does not list"
        raise RecipeError(found, f"set the whole: {whole}=[…]")


def _step_into(place: dict[str, Any] | list[Any], part: str, override: str) -> Any:
    """Go one step further: into a section, made if there is none, or into an item of a list, counted from 0."""
    if isinstance(place, dict):
        return place.setdefault(part, {})
    return place[_item(place, part, override)]


def _item(items: list[Any], part: str, override: str) -> int:
    if not (part.isdecimal() and int(part) < len(items)):
        found = f"the override {override!r} goes into item {part} of a list that has {len(items)}"
        raise RecipeError(found, "items are counted from 0, as in sources.0.rows=100")
    return int(part)


def _describe(fault: Any, settings: type[Settings]) -> str:
    """Say one fault in one line; for a key that is not known, name the nearest that is."""
    where = "".join(f"{part}." for part in fault["loc"])[:-1]
    if fault["type"] == "missing":
        return f"{where}: is missing"
    if fault["type"] == "extra_forbidden":
        near = _nearest_key(settings, fault["loc"])
        return f"{where}: no such key" + (f", did you mean {near}?" if near else "")
    found = "" if isinstance(fault["input"], dict) else f" (found {fault['input']!r})"
    message = fault["msg"].removeprefix("Value error, ").replace("Tuple ", "List ").replace("tuple", "list") + found
    return f"{where}: {message}" if where else message


def _nearest_key(settings: type[BaseModel], loc: Sequence[str | int]) -> str | None:
    """Find the key that was meant: one of the same section, or else one that stands in another section."""
    *parents, key = loc
    sections: list[type[BaseModel]] = [settings]
    for part in parents:
        fields = [section.model_fields[part] for section in sections if part in section.model_fields]  # not: a number
        sections = [inner for field in fields for inner in _sections_in(field.annotation)] or sections
    here = {name: name for section in sections for name in section.model_fields}
    elsewhere: dict[str, str] = {}
    for dotted in _all_keys(settings):
        elsewhere.setdefault(dotted.rpartition(".")[2], dotted)
    for keys in (here, elsewhere):
        if near := difflib.get_close_matches(str(key), keys, n=1):
            return keys[near[0]]
    return None


def _all_keys(settings: type[BaseModel], section: str = "") -> Iterator[str]:
    """List every key as an override would name it: `training`, `training.steps`."""
    for name, field in settings.model_fields.items():
        yield section + name
        for inner in _sections_in(field.annotation):
            yield from _all_keys(inner, f"{section}{name}.")


def _sections_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Find the settings classes in a field's type: in `tuple[CorpusSettings, ...]`, the one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _sections_in(inner)
