"""
What a service is told to serve ─► the names that clients know it by.

In:  models ("base", "ours=runs/ours/model") and engines ("qwen=openai:http://127.0.0.1:8000/v1#qwen3").
Out: {"base": "base", "ours": "runs/ours/model"} and {"qwen": "openai:http://127.0.0.1:8000/v1#qwen3"}.

Nothing here loads a library, so that faults are found before the start.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from hanpuri.errors import RecipeError

BY_NAME = re.compile(r"([\w.-]+)=(.+)")


def name_all(models: Sequence[str], engines: Sequence[str]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """
    Give what is behind each name: the compact models, and the engines.

        >>> name_all(["base", "ours=runs/ours/model"], ["transformers:runs/faq"])
        ({'base': 'base', 'ours': 'runs/ours/model'}, {'faq': 'transformers:runs/faq'})

    Raises:
        RecipeError: if two have one name.
    """
    found: tuple[dict[str, str], dict[str, str]] = {}, {}
    named = [(split_model, told, found[0]) for told in models] + [(split_name, told, found[1]) for told in engines]
    for split, told, place in named:
        name, what = split(told)
        if name in found[0] or name in found[1]:
            raise RecipeError(f"two models are called {name}", f"name one of them: other={what}")
        place[name] = what
    return found


def split_model(told: str) -> tuple[str, str]:
    """
    Take the name off a compact model; without one it is the name of its folder.

        >>> split_model("base"), split_model("ours=runs/a,b/model"), split_model("runs/ours/")
        (('base', 'base'), ('ours', 'runs/a,b/model'), ('ours', 'runs/ours/'))
    """
    if named := BY_NAME.fullmatch(told):
        return named[1], named[2]
    return Path(told).name or Path(told).resolve().name, told


def split_name(told: str) -> tuple[str, str]:
    """
    Take the name off an engine; without one it is the last part of the path or model.

        >>> split_name("qwen=openai:http://127.0.0.1:8000/v1#qwen3")
        ('qwen', 'openai:http://127.0.0.1:8000/v1#qwen3')
        >>> split_name("transformers:runs/faq,aligned=airbnb"), split_name("base")
        (('faq', 'transformers:runs/faq,aligned=airbnb'), ('base', 'base'))
        >>> split_name("llamacpp:models/tiny.gguf")[0], split_name("openai:http://127.0.0.1:8000/v1#org/qwen3")[0]
        ('tiny', 'qwen3')
    """
    named = BY_NAME.fullmatch(told)
    if named and ":" not in named[1] and "," not in named[1]:
        return named[1], named[2]
    place = told.partition(",")[0].split("#")[-1]
    path = PurePosixPath(place if "://" in place else place.split(":")[-1])
    return path.stem if path.suffix == ".gguf" else path.name, told
