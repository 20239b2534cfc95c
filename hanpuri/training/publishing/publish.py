"""
`hanpuri publish`: a run ─► a folder or a repository that any tool loads, whole or not at all.

In: `runs/faq-qlora` and `published/faq`, or `hub:mina/faq`. Out: that folder, and a Published:

    README.md config.json generation_config.json model.safetensors parity.json prompt_template.yaml tokenizer.json …

Whatever can be refused without weights is refused first: no tool for GGUF, no token for the hub, no room on the disk, a
target that is there. The folder is made beside its place and renamed at the end, after the proof in `building` held.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanpuri.errors import DataError, ModelError
from hanpuri.runs import sha256_of, write_json
from hanpuri.training.loading.models import check_tokenizer, read_config, read_shapes
from hanpuri.training.loading.rope import reach
from hanpuri.training.publishing import gguf as llama_cpp
from hanpuri.training.publishing import hub
from hanpuri.training.publishing.building import Asked, Proof, Report, build_folder, prepare_questions
from hanpuri.training.publishing.card import Card, read_license, write_card
from hanpuri.training.publishing.gguf import Converted
from hanpuri.training.publishing.origin import Origin, open_origin, weight_files
from hanpuri.training.publishing.parity import MAX_NEW_TOKENS
from hanpuri.training.publishing.prompts import MAX_TOKENS

HUB = "hub:"
PROOF = "parity.json"
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0}
SPARE_BYTES = 64 << 20
"""Room on the disk for all that is no weight."""


@dataclass(frozen=True)
class Options:
    """What a caller may wish besides run and target."""

    gguf: tuple[str, ...] = ()
    """Such as F16, Q8_0, Q4_K_M."""
    dry_run: bool = False
    """Do it all, show what would be there, and leave nothing."""
    private: bool = True
    force: bool = False
    """Replace a folder, or write into a repository, that is there."""
    license: str | None = None
    """Of the model; that of the base, if not given and it says one."""
    prompts: Path | None = None
    """Rows for the proof, where the run's data are no longer there."""
    device: str | None = None


@dataclass(frozen=True)
class PublishedFile:
    """A file of what was published."""

    name: str
    num_bytes: int
    sha256: str


@dataclass(frozen=True)
class Published:
    """What is there now, or would be."""

    folder: Path
    """The folder; in a dry run, and for a repository, it is gone or stays in the run."""
    repository: str | None
    url: str | None
    private: bool
    dry_run: bool
    files: tuple[PublishedFile, ...]
    proof: Proof
    converted: tuple[Converted, ...]
    card: str
    notes: tuple[str, ...]


def publish(run: Path, to: str, options: Options | None = None, report: Report = lambda line: None) -> Published:
    """
    Merge, prove, and publish a run.

    Args:
        run: its folder.
        to: a folder that is not there yet, or "hub:user/name".
        options: what else.
        report: told what is done, a line each.

    Raises:
        ModelError, RecipeError, DataError: if there is nothing to publish, something is missing for it, or what would
            be published does not answer as the trained model; then nothing is left at the target.
    """
    options = options or Options()
    repository = _repository(to)
    origin = open_origin(run)
    folder = run / "published" if repository else Path(to)
    _check_before(origin, folder, repository, options)
    asked = _prepare(origin, options)
    with _beside(folder) as part:
        made = _make(origin, asked, part, repository or folder.name, options, report)
        files = tuple(list_files(part))
        if not options.dry_run:
            _put_in_place(part, folder)
    url = None
    if repository and not options.dry_run:
        report(f"pushing to {repository}")
        url = hub.push(folder, repository, private=options.private)
    told = repository, url, options.private, options.dry_run, files
    notes = _notes(made, for_all=repository is not None and not options.private)
    return Published(folder, *told, made.proof, made.converted, write_card(made), notes)


def _prepare(origin: Origin, options: Options) -> Asked:
    """Choose what is asked, and see that a whole model has its own tokenizer."""
    config = read_config(origin.base or origin.weights)
    positions = reach(config) or MAX_TOKENS + MAX_NEW_TOKENS
    asked = prepare_questions(origin, positions - MAX_NEW_TOKENS, options.prompts)
    if not origin.merges:
        check_tokenizer(config, asked.tokenizer)
    return asked


def _make(origin: Origin, asked: Asked, part: Path, title: str, options: Options, report: Report) -> Card:
    """Write all files of the folder, and give what its card says."""
    built = build_folder(origin, asked, part, options.device or _best_device(), report)
    write_json(part / PROOF, built.proof.as_dict())
    converted = llama_cpp.convert(part, options.gguf, origin, asked, built.reference, report)
    license = options.license or read_license(origin)
    card = Card(origin, asked, built.proof, built.chat, converted, license, title)
    (part / "README.md").write_text(write_card(card), encoding="utf-8")
    return card


def list_files(folder: Path) -> Iterator[PublishedFile]:
    """List what lies in a folder, with sizes and hashes."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield PublishedFile(path.relative_to(folder).as_posix(), path.stat().st_size, sha256_of(path))


def _repository(to: str) -> str | None:
    if not to.startswith(HUB):
        return None
    name = to.removeprefix(HUB)
    if not REPOSITORY.fullmatch(name):
        raise ModelError(f"found the target {to}, expected hub:user/name", "write e.g. --to hub:mina/faq-llama")
    return name


def _check_before(origin: Origin, folder: Path, repository: str | None, options: Options) -> None:
    """Refuse, before the long part, whatever can be refused."""
    llama_cpp.check_tools(options.gguf)
    if repository is None:
        _check_free(folder, force=options.force)
    if repository and not options.dry_run:
        hub.check_repository(repository, private=options.private, force=options.force)
    _check_room(folder, needed_bytes(origin, options.gguf))


def _check_free(folder: Path, *, force: bool) -> None:
    """See that nothing is at the target, or only what an earlier publication has put there."""
    if not folder.exists():
        return
    if not force:
        raise ModelError(f"{folder}: found something there already", "give another folder, or --force to replace it")
    if not (folder / PROOF).is_file():  # --force replaces a whole folder: not somebody's home by a slip
        raise ModelError(
            f"{folder}: found something that was not published, with no {PROOF} in it", "give another folder"
        )


def needed_bytes(origin: Origin, gguf: Sequence[str]) -> int:
    """Estimate how much room the result takes while it is made."""
    numbers = 0
    for path in weight_files(origin.base or origin.weights):
        shapes: Mapping[str, tuple[int, ...]] = read_shapes(path) if path.suffix == ".safetensors" else {}
        numbers += sum(_product(shape) for shape in shapes.values()) or path.stat().st_size // 2
    each = BYTES[origin.precision] if origin.merges else _stored_bytes(origin) / max(1, numbers)
    return int(numbers * (each + llama_cpp.bytes_per_number(gguf))) + SPARE_BYTES


def _stored_bytes(origin: Origin) -> int:
    return sum(path.stat().st_size for path in weight_files(origin.weights))


def _product(shape: tuple[int, ...]) -> int:
    numbers = 1
    for size in shape:
        numbers *= size
    return numbers


def _check_room(folder: Path, needed: int) -> None:
    parent = next(parent for parent in folder.absolute().parents if parent.exists())
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise DataError(
            f"{parent}: found {free / 1e9:.1f} GB free, expected {needed / 1e9:.1f} GB for what is published",
            "free some, or publish to another disk",
        )


def _best_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside the target; what is left of it in the end is removed."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
    except OSError as error:
        raise DataError(f"{part} cannot be made: {error.strerror}", "publish to a folder that you may write") from None
    try:
        yield part
    except OSError as error:
        raise DataError(
            f"{part} cannot be written: {error.strerror or error}", "look at the disk, and publish again"
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _put_in_place(part: Path, folder: Path) -> None:
    """Rename the finished folder; one that is replaced is there until the new one is."""
    old = folder.with_name(folder.name + ".old")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _notes(card: Card, *, for_all: bool) -> tuple[str, ...]:
    """Gather what the publisher should hear."""
    notes = [*card.origin.notes, *card.proof.notes]
    if for_all:
        asked = len(card.asked.prompts)
        notes.append(
            f"README.md and parity.json show {asked} prompts of the run's data to all; --prompts FILE takes others"
        )
    if card.chat.reason:
        notes.append(f"no chat template was written: {card.chat.reason}")
    if card.license is None:
        base = f"the base {card.origin.base_name}" if card.origin.base_name else "the model"
        notes.append(f"the licence of {base} is not known: find it out before you share, and give it by --license")
    return tuple(notes)


def as_dict(published: Published) -> dict[str, Any]:
    """Give what --json prints."""
    proof = published.proof.as_dict()
    proof.pop("questions")
    return {
        "to": published.repository or str(published.folder),
        "url": published.url,
        "private": published.private if published.repository else None,
        "dry_run": published.dry_run,
        "files": [{"name": f.name, "bytes": f.num_bytes, "sha256": f.sha256} for f in published.files],
        "parity": json.loads(json.dumps(proof)),
        "gguf": [one.as_dict() for one in published.converted],
        "notes": list(published.notes),
    }
