"""
Recipes: what a file and its overrides become, and what a person is told about every fault.

In: small YAML files for a made-up stage. Out: frozen settings, or one line.
"""

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator

from hanpuri.errors import RecipeError
from hanpuri.recipe import Settings, dump_recipe, read_recipe


class Oven(Settings):
    degrees: int = Field(ge=0, le=300)
    fan: bool = True


class Layer(Settings):
    filling: str
    grams: float = 50.0


class Bread(Settings):
    kind: Literal["bread"]
    name: str = "안녕"
    oven: Oven = Oven(degrees=200)
    layers: tuple[Layer, ...] = ()
    recipe_book: Path | None = None
    spare_oven: Oven | None = None

    @model_validator(mode="after")
    def fit_in(self) -> "Bread":
        if len(self.layers) > 3:
            raise ValueError(f"{len(self.layers)} layers do not fit into the tin, which holds 3")
        return self


class Soup(Settings):
    kind: Literal["soup"]
    litres: float = 1.0


KINDS = {"bread": Bread, "soup": Soup}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test works in a folder of its own, so that messages hold bare file names."""
    monkeypatch.chdir(tmp_path)


def read(recipe: str | bytes, *overrides: str) -> Settings:
    path = Path("recipe.yaml")
    path.write_bytes(recipe if isinstance(recipe, bytes) else recipe.encode())
    return read_recipe(path, KINDS, overrides)


def told(recipe: str | bytes, *overrides: str) -> str:
    """What a person is told about a recipe that is not right."""
    with pytest.raises(RecipeError) as caught:
        read(recipe, *overrides)
    return str(caught.value)


# --- what a recipe becomes


def test_a_recipe_becomes_the_settings_of_its_kind():
    assert read("kind: soup\nlitres: 2") == Soup(kind="soup", litres=2.0)
    assert read("kind: bread\nlayers:\n- filling: 팥\n- {filling: 크림, grams: 20}") == Bread(
        kind="bread", layers=(Layer(filling="팥"), Layer(filling="크림", grams=20.0))
    )


def test_settings_are_frozen():
    settings = read("kind: soup")
    with pytest.raises(ValidationError, match="Instance is frozen"):
        settings.litres = 3.0


@pytest.mark.parametrize("recipe", ["\ufeffkind: soup\nlitres: 2", "kind: soup\r\nlitres: 2\r\n"], ids=["BOM", "CRLF"])
def test_files_from_windows_are_read(recipe):
    assert read(recipe) == Soup(kind="soup", litres=2.0)


# PyYAML itself loses U+0085, a control character that ends a line.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t"), max_size=12)


@given(
    TEXTS, st.integers(0, 300), st.lists(st.tuples(TEXTS, st.floats(allow_nan=False, allow_infinity=False)), max_size=3)
)
def test_what_is_dumped_is_read_back_whatever_its_texts_hold(tmp_path_factory, name, degrees, layers):
    settings = Bread(
        kind="bread",
        name=name,
        oven=Oven(degrees=degrees),
        layers=tuple(Layer(filling=filling, grams=grams) for filling, grams in layers),
        recipe_book=Path("책/빵.txt"),
    )
    path = tmp_path_factory.getbasetemp() / "dumped.yaml"
    path.write_text(dump_recipe(settings), encoding="utf-8", newline="")
    assert read_recipe(path, KINDS) == settings


def test_a_dump_spells_out_every_default():
    assert dump_recipe(read("kind: bread")) == (
        "kind: bread\nname: 안녕\noven:\n  degrees: 200\n  fan: true\nlayers: []\nrecipe_book: null\nspare_oven: null\n"
    )


# --- overrides


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["litres=3"], {"litres": 3.0}),
        (["litres=1e-3"], {"litres": 0.001}),  # YAML 1.1 reads this as text
        (["litres=3", "litres=4"], {"litres": 4.0}),  # the last one holds
    ],
)
def test_an_override_is_laid_over_the_file(overrides, expected):
    assert read("kind: soup\nlitres: 2", *overrides) == Soup(kind="soup", **expected)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("oven.degrees=180", {"oven": Oven(degrees=180, fan=False)}),  # what stands beside it stays
        ("oven.fan=true", {"oven": Oven(degrees=210, fan=True)}),
        ("oven={degrees: 100}", {"oven": Oven(degrees=100)}),
        ("spare_oven.degrees=90", {"spare_oven": Oven(degrees=90)}),  # a section that the file leaves out
        ("layers=[{filling: 팥}]", {"layers": (Layer(filling="팥"),)}),
        ("name=a=b", {"name": "a=b"}),  # the first = parts key and value
        ("name='5'", {"name": "5"}),
        ("recipe_book=null", {"recipe_book": None}),
        ("recipe_book=", {"recipe_book": None}),  # as in a file: a key without a value
        ("recipe_book=a b.txt", {"recipe_book": Path("a b.txt")}),
    ],
)
def test_an_override_reaches_into_sections_and_is_read_as_yaml(override, expected):
    defaults = {"oven": Oven(degrees=210, fan=False), "name": "x"}
    recipe = "kind: bread\nname: x\noven: {degrees: 210, fan: false}"
    assert read(recipe, override) == Bread(kind="bread", **{**defaults, **expected})


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("layers.1.grams=5", (Layer(filling="팥"), Layer(filling="크림", grams=5))),  # a key of an item
        ("layers.0={filling: 밤}", (Layer(filling="밤"), Layer(filling="크림"))),  # a whole item
    ],
)
def test_an_override_reaches_into_items_of_a_list(override, expected):
    recipe = "kind: bread\nlayers: [{filling: 팥}, {filling: 크림}]"
    assert read(recipe, override).layers == expected


def test_an_override_may_change_the_kind():
    assert read("kind: bread", "kind=soup") == Soup(kind="soup")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("litres", "the override 'litres' is no key with a value; write it as key=value or key.sub=value"),
        ("=3", "the override '=3' is no key with a value; write it as key=value or key.sub=value"),
        ("", "the override '' is no key with a value; write it as key=value or key.sub=value"),
        (
            "oven..fan=true",
            "the override 'oven..fan=true' is no key with a value; write it as key=value or key.sub=value",
        ),
        (
            "name.first=a",
            "the override 'name.first=a' goes into name, which holds no keys; set the whole: name=…",
        ),
        (
            "layers.0.grams=5",
            "the override 'layers.0.grams=5' goes into item 0 of a list that has 0"
            "; items are counted from 0, as in sources.0.rows=100",
        ),
        (
            "layers.first=5",
            "the override 'layers.first=5' goes into item first of a list that has 0"
            "; items are counted from 0, as in sources.0.rows=100",
        ),
        (
            "oven.degrees.celsius=5",
            "the override 'oven.degrees.celsius=5' goes into oven.degrees, which holds no keys; "
            "set the whole: oven.degrees=…",
        ),
        (
            "layers=[1",
            "the override 'layers=[1' is not YAML: expected ',' or ']', but got '<stream end>'; "
            "put the value in quotes",
        ),
        (
            "oven={fan: true, fan: false}",
            "the override 'oven={fan: true, fan: false}' is not YAML: fan stands twice; put the value in quotes",
        ),
        (
            "name=2024-13-01",
            "the override 'name=2024-13-01' is not YAML: month must be in 1..12; put the value in quotes",
        ),
    ],
)
def test_an_override_that_cannot_be_laid_over_is_refused(override, message):
    assert told("kind: bread\nname: x\nlayers: []\noven: {degrees: 1}", override) == message


# --- faults of the file


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("", "recipe.yaml holds nothing, expected keys and values; begin with `kind:`"),
        ("- a\n- b", "recipe.yaml holds list, expected keys and values; begin with `kind:`"),
        ("soup", "recipe.yaml holds str, expected keys and values; begin with `kind:`"),
        ("42", "recipe.yaml holds int, expected keys and values; begin with `kind:`"),
        (
            "kind: soup\nlitres: [1",
            "recipe.yaml:2: not YAML: expected ',' or ']', but got '<stream end>'; mend the file there",
        ),
        (
            "kind: soup\n\tlitres: 1",
            "recipe.yaml:2: not YAML: found character '\\t' that cannot start any token; mend the file there",
        ),
        ("kind: soup\n\nlitres: 1\nlitres: 2", "recipe.yaml:4: not YAML: litres stands twice; mend the file there"),
        (
            "kind: bread\noven:\n  fan: true\n  fan: true",
            "recipe.yaml:4: not YAML: fan stands twice; mend the file there",
        ),
        ("kind: 2024-13-01", "recipe.yaml: not YAML: month must be in 1..12; mend the file there"),
        (b"kind: \xb0\xaa", "recipe.yaml is not UTF-8: invalid start byte at byte 6; save it as UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(recipe, message):
    assert told(recipe) == message


def test_a_missing_file_and_a_folder_are_refused():
    for path, why in ((Path("none.yaml"), "No such file or directory"), (Path(), "Is a directory")):
        with pytest.raises(RecipeError) as caught:
            read_recipe(path, KINDS)
        assert str(caught.value) == f"{path} cannot be read: {why}; give the path of a recipe file"


@pytest.mark.parametrize(
    ("recipe", "kind"),
    [
        ("kind: cake", "'cake'"),
        ("litres: 1", "None"),
        ("kind: [soup]", "['soup']"),  # cannot be looked up at all
        ("kind: 1", "1"),
    ],
)
def test_a_wrong_kind_is_told_with_the_known_ones(recipe, kind):
    assert told(recipe) == f"recipe.yaml: kind is {kind}, expected one of bread, soup; write e.g. `kind: bread`"


def test_all_faults_are_told_at_once():
    recipe = """
        kind: bread
        name: 3
        oven: {degres: 400}
        layers: [{grams: many}, {filling: 팥, gram: 3}]
        spare_oven: hot
        colour: brown
    """
    assert told(recipe) == (
        "recipe.yaml: name: Input should be a valid string (found 3)"
        "; oven.degrees: is missing"
        "; oven.degres: no such key, did you mean degrees?"
        "; layers.0.filling: is missing"
        "; layers.0.grams: Input should be a valid number, unable to parse string as a number (found 'many')"
        "; layers.1.gram: no such key, did you mean grams?"
        "; spare_oven: Input should be a valid dictionary or instance of Oven (found 'hot')"
        "; colour: no such key"
        "; mend these keys, or see the shipped recipes"
    )


@pytest.mark.parametrize(
    ("recipe", "fault"),
    [
        ("kind: bread\nnme: x", "nme: no such key, did you mean name?"),
        # a key of another section, by its whole name
        ("kind: bread\ndegrees: 3", "degrees: no such key, did you mean oven.degrees?"),
        ("kind: bread\noven: {degrees: 3, fillings: 3}", "oven.fillings: no such key, did you mean layers.filling?"),
        # a section that may be missing, and one of many
        ("kind: bread\nspare_oven: {degrees: 3, fann: true}", "spare_oven.fann: no such key, did you mean fan?"),
        ("kind: bread\nlayers: [{filling: a, flling: b}]", "layers.0.flling: no such key, did you mean filling?"),
        # nothing is near, or only in another kind
        ("kind: soup\nxyz: 3", "xyz: no such key"),
        ("kind: soup\ndegrees: 3", "degrees: no such key"),
        # out of its range
        ("kind: bread\noven: {degrees: 301}", "oven.degrees: Input should be less than or equal to 300 (found 301)"),
        # a key that is no text
        ("kind: soup\n1: 2", "1: Keys should be strings (found 1)"),
        # what only the whole can tell
        (
            "kind: bread\nlayers: [{filling: a}, {filling: b}, {filling: c}, {filling: d}]",
            "4 layers do not fit into the tin, which holds 3",
        ),
    ],
)
def test_a_fault_names_its_key_and_the_nearest(recipe, fault):
    assert told(recipe) == f"recipe.yaml: {fault}; mend these keys, or see the shipped recipes"
