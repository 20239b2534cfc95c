"""
Engines as they are written on the command line, and the one line that a wrong one gets.

In: "transformers:runs/faq,aligned=airbnb". Out: settings, or a RecipeError.
"""

import pytest

from hanpuri.engines.settings import parse_engine
from hanpuri.errors import RecipeError

WRITTEN = [
    ("echo", {"engine": "echo", "model": ""}, "echo"),
    ("compact", {"engine": "compact", "model": ""}, "compact"),
    ("compact:small", {"engine": "compact", "model": "small"}, "compact:small"),
    ("transformers:runs/faq", {"model": "runs/faq", "aligned": "off"}, "transformers:runs/faq"),
    # settings follow after commas, and what is not usual stands in the name
    (
        "transformers:runs/faq,aligned=airbnb,four_bit=true",
        {"model": "runs/faq", "aligned": "airbnb", "four_bit": True},
        "transformers:runs/faq,aligned=airbnb,four_bit=true",
    ),
    ("compact:base,reach=wide", {"model": "base", "reach": "wide"}, "compact:base,reach=wide"),
    # a comma that no setting follows belongs to the model's name
    ("llamacpp:a,b.gguf", {"model": "a,b.gguf"}, "llamacpp:a,b.gguf"),
    # colons after the first one, too
    (
        "openai:http://127.0.0.1:8000/v1#qwen3",
        {"engine": "openai", "model": "http://127.0.0.1:8000/v1#qwen3"},
        "openai:http://127.0.0.1:8000/v1#qwen3",
    ),
    ("vllm:models/a,label=ours", {"label": "ours"}, "ours"),
]

WRONG = [
    (
        "transformer:a",
        "the engine 'transformer:a': engine: no such engine, did you mean transformers? (found 'transformer');"
        " write it as NAME:MODEL,key=value, see docs/engines.md",
    ),
    ("", "the engine '' has no name; write one of echo, compact, transformers, vllm, llamacpp, openai"),
    (
        "transformers",
        "the engine 'transformers': transformers was given no model, write e.g. transformers:runs/faq;"
        " write it as NAME:MODEL,key=value, see docs/engines.md",
    ),
    (
        "openai",
        "the engine 'openai': openai was given no model, write e.g. openai:http://127.0.0.1:8000/v1#MODEL;"
        " write it as NAME:MODEL,key=value, see docs/engines.md",
    ),
    (
        "compact:base,spacing=true",
        "the engine 'compact:base,spacing=true': found spacing, expected reach=wide with it;"
        " write it as NAME:MODEL,key=value, see docs/engines.md",
    ),
    (
        "echo:,reach=wide",
        "the engine 'echo:,reach=wide': reach was given to echo, it needs compact;"
        " write it as NAME:MODEL,key=value, see docs/engines.md",
    ),
    (
        "compact:base,reach=wide,aligned=hand",
        "the engine 'compact:base,reach=wide,aligned=hand': found aligned and reach=wide, expected one of them:"
        " what is wide keeps no length; write it as NAME:MODEL,key=value, see docs/engines.md",
    ),
    (
        "compact:base,alinged=airbnb",
        "the engine 'compact:base,alinged=airbnb': alinged: no such key, did you mean aligned?;"
        " write it as NAME:MODEL,key=value, see docs/engines.md",
    ),
    (
        "openai:http://127.0.0.1:1/v1,server.concurency=2",
        "the engine 'openai:http://127.0.0.1:1/v1,server.concurency=2': server.concurency: no such key,"
        " did you mean concurrency?; write it as NAME:MODEL,key=value, see docs/engines.md",
    ),
    (
        "compact:base,aligned=yes",
        "the engine 'compact:base,aligned=yes': aligned: Input should be 'off', 'syllables', 'airbnb' or 'hand'"
        " (found True); write it as NAME:MODEL,key=value, see docs/engines.md",
    ),
]


@pytest.mark.parametrize(("spec", "fields", "name"), WRITTEN, ids=[spec for spec, *_ in WRITTEN])
def test_an_engine_is_read_as_it_is_written(spec, fields, name):
    settings = parse_engine(spec)

    assert {key: getattr(settings, key) for key in fields} == fields
    assert settings.name == name


@pytest.mark.parametrize(("spec", "message"), WRONG, ids=[spec or "nothing" for spec, _ in WRONG])
def test_a_wrong_engine_is_told_in_one_line_with_the_nearest_one(spec, message):
    with pytest.raises(RecipeError) as error:
        parse_engine(spec)

    assert str(error.value) == message


def test_off_and_on_which_yaml_reads_as_truth_are_taken_as_they_are_written():
    assert parse_engine("compact:base,aligned=off").aligned == "off"
