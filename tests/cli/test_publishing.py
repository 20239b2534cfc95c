"""`hanpuri publish` as a user has it: tables, one JSON object, one line for a fault."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hanpuri.cli import publishing
from hanpuri.training.publishing.gguf import Converted
from hanpuri.training.publishing.parity import Comparison
from hanpuri.training.publishing.publish import Published, PublishedFile

SAME = Comparison(100, 0.001, 0.0001, 0.8, 5.2, 0.99, 7, 1, 0)
OTHER = replace(SAME, typical=60.0, largest=300.0, same_text=0, parted=8)


@dataclass(frozen=True)
class Proof:
    """Figures as a publication has them."""

    questions: tuple[int, ...] = tuple(range(8))
    merged: Comparison | None = SAME
    exported: Comparison = SAME
    effect: Comparison | None = OTHER
    quantized: Comparison | None = None

    def as_dict(self):
        return {"exported": self.exported.as_dict(), "questions": []}


PUBLISHED = Published(
    folder=Path("published/faq"),
    repository=None,
    url=None,
    private=True,
    dry_run=False,
    files=(PublishedFile("model.safetensors", 1234567, "ab" * 32),),
    proof=Proof(),
    converted=(Converted("model-F16.gguf", "F16", True, None, "llama-cpp-python is not installed"),),
    card="# faq [bold]\n",
    notes=("the licence [of the base] is not known",),
)
OPTIONS = {
    **{"gguf": (), "dry_run": False, "private": True, "force": False},
    **{"license": None, "prompts": None, "device": None},
}


@pytest.fixture
def published(monkeypatch):
    """Let a publication come out as told: publishing itself is tested in tests/training/publishing."""

    def come_out(**changes):
        from hanpuri.training.publishing import publish

        monkeypatch.setattr(publish, "publish", lambda run, to, options, report: replace(PUBLISHED, **changes))

    return come_out


def test_files_figures_and_notes_are_printed(published, capsys):
    published()
    publishing.run(Path("runs/faq"), "published/faq", **OPTIONS, as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    assert lines == [
        ["file", "bytes", "sha256"],
        ["model.safetensors", "1,234,567", "ab" * 32],
        ["compared", "largest", "Δ", "typical", "σ", "largest", "σ", "same", "text", "equal"],
        ["merged", "0.001", "0.8", "5.2", "7", "of", "8", "(1", "part", "at", "a", "tie)", "yes"],
        ["exported", "0.001", "0.8", "5.2", "7", "of", "8", "(1", "part", "at", "a", "tie)", "yes"],
        [
            "without",
            "the",
            "adapter",
            "0.001",
            "60",
            "300",
            "0",
            "of",
            "8",
            "(1",
            "part",
            "at",
            "a",
            "tie)",
            "not",
            "expected",
        ],
        ["model-F16.gguf:", "llama-cpp-python", "is", "not", "installed"],
        ["note:", "the", "licence", "[of", "the", "base]", "is", "not", "known"],
        ["published", "to", "published/faq"],
    ]


@pytest.mark.parametrize(
    ("changes", "last"),
    [
        ({"dry_run": True}, "dry run: nothing was kept; this would be published/faq"),
        (
            {"dry_run": True, "repository": "mina/faq", "private": False},
            "dry run: nothing was kept; this would be a public repository mina/faq",
        ),
        (
            {"repository": "mina/faq", "url": "https://hub.example/mina/faq"},
            "pushed to https://hub.example/mina/faq (private); the same lies in published/faq",
        ),
    ],
)
def test_the_last_line_says_where_it_is(published, capsys, changes, last):
    published(**changes)
    publishing.run(Path("runs/faq"), "published/faq", **OPTIONS, as_json=False)
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == last
    assert ("# faq [bold]" in out) == bool(changes.get("dry_run")), "a dry run shows the card"


def test_one_json_object_holds_it_all(published, capsys):
    published()
    publishing.run(Path("runs/faq"), "published/faq", **OPTIONS, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["to"] == "published/faq"
    assert told["files"] == [{"name": "model.safetensors", "bytes": 1234567, "sha256": "ab" * 32}]
    assert told["parity"]["exported"]["equal"] is True
    assert told["gguf"][0]["note"] == "llama-cpp-python is not installed"


def test_it_explains_itself_with_examples():
    assert "hanpuri publish runs/faq-qlora --to hub:mina/faq --dry-run" in publishing.EXAMPLES
