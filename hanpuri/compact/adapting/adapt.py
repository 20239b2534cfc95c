"""
All of it in order: texts, before, learning, after, the model's folder.

In:  a user's texts, divided; the name of a model; where the new one goes.   Out: an Adaptation; a folder, if it helped.

Until the model is there, all that is needed to go on lies in `<out>.adapting` beside it: the texts (a copy), the
recipe, the checkpoint. The same call goes on from there; at the end the folder is removed. Needs torch and onnx.
"""

import hashlib
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from hanpuri.compact.adapting.card import write_card
from hanpuri.compact.adapting.finishing import write_model
from hanpuri.compact.adapting.judging import CLEAN, OWN, Compare, Examination, Gain, share_of_noisy
from hanpuri.compact.adapting.learning import Report, count_items, learn, plan
from hanpuri.compact.adapting.places import check_out, working_folder
from hanpuri.compact.adapting.settings import MINUTES_ON_CPU, MINUTES_ON_GPU, AdaptSettings
from hanpuri.compact.adapting.texts import Found, Texts
from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.restoring.phrases import Phrases
from hanpuri.compact.shipped_weights import load_shipped
from hanpuri.compact.weights import load_network
from hanpuri.errors import DataError, RecipeError
from hanpuri.runs.files import sha256_of, write_json, write_whole

DEFAULTS = AdaptSettings()
# Of texts that look obfuscated, what share is an accident.
MOST_NOISY = 0.05
# The last part writes a network twice; and learning gets at least this share of the time.
WRITING_SECONDS, LEAST_SHARE = 20.0, 0.5


@dataclass(frozen=True)
class Adaptation:
    """What came of it; `folder` holds the model if it `is_kept`, and is not there otherwise."""

    folder: Path
    is_kept: bool
    found: Found
    gains: dict[str, Gain]
    steps: int
    items: int
    seconds: float

    @property
    def helps(self) -> bool:
        """Whether the texts that were kept apart are restored better, and not by chance."""
        return self.gains[OWN].is_certain


def adapt(
    texts: Texts,
    out: Path,
    *,
    compare: Compare,
    base: str | Path = "base",
    settings: AdaptSettings = DEFAULTS,
    general: Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    keep: bool = False,
    report: Report = lambda step, metrics: None,
) -> Adaptation:
    """
    Tune a model on clean texts, or go on with what an earlier call has begun.

    Args:
        texts: what to learn from and what to measure by, divided with the vocabulary of the base.
        out: the folder of the new model; it must not be there yet.
        compare: holds answers before and after against what is right.
        base: the model to begin from.
        settings: how long and how hard.
        general: a file of other texts to mix in, if the user has one.
        device: "cuda" or "cpu"; a GPU if there is one.
        threads: processor threads; all that may be used, if not given.
        keep: whether the model is written though it does not help.
        report: is told the step and its metrics while it learns.

    Raises:
        DataError: if the texts are obfuscated, or `out` is there.
        ModelError: if the model to begin from is not there or not whole.
        RecipeError: if `<out>.adapting` was begun with something else.
        KeyboardInterrupt: at ctrl-C; the same call goes on.
    """
    started = time.monotonic()
    check_out(out)
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if threads is not None:
        torch.set_num_threads(threads)
    files = ModelFiles.find(base)
    network, vocabulary, _ = load_shipped(files)
    exam = Examination.prepare(texts.held_out, settings.seed)
    before = exam.take(files.folder, threads)
    _check_clean(texts, before[CLEAN])
    folder = _come_back(out, texts, files, settings, general)
    recipe = plan(
        folder,
        folder / "texts.txt",
        settings,
        network,
        num_items=count_items(texts.learnt),
        seconds=_seconds_to_learn(settings, where, time.monotonic() - started),
        device=where,
        general=general,
    )
    learnt = learn(recipe, folder, (network, vocabulary), pull=settings.pull, device=where, report=report)
    new, _ = load_network(folder)
    phrases = Phrases.count(texts.learnt) if settings.phrases else None
    made = write_model(folder / "adapted", new, vocabulary, recipe, network, settings.share, phrases)
    gains = exam.compare(before, exam.take(made.folder, threads), compare)
    items, seconds = learnt.step * recipe.training.batch_tokens, _seconds_of(folder)
    done = Adaptation(out, keep or gains[OWN].is_certain, texts.found, gains, learnt.step, items, seconds)
    if done.is_kept:
        about = {"steps": done.steps, "items": items, "seconds": seconds, "device": where.type}
        write_card(made, out.name, files, texts.found, gains, settings, about)
        made.folder.replace(out)
        shutil.rmtree(folder)
    return done


def _come_back(out: Path, texts: Texts, files: ModelFiles, settings: AdaptSettings, general: Path | None) -> Path:
    """Make the working folder, or see that it was begun with the same."""
    folder = working_folder(out)
    said = "\n".join((*texts.learnt, *texts.held_out)).encode("utf-8", "backslashreplace")
    asked = {
        "texts": hashlib.sha256(said).hexdigest(),
        "base": sha256_of(files.network),
        "general": sha256_of(general) if general else None,
        **settings.model_dump(exclude={"share", "phrases"}),  # which come after what is learnt
    }
    path = folder / "asked.json"
    if path.exists():
        begun = json.loads(path.read_text(encoding="utf-8"))
        if other := [name for name in asked if begun.get(name) != asked[name]]:
            found = f"{folder} holds an adaptation that was begun with other {', '.join(other)}"
            raise RecipeError(found, "begin anew with another --out, or remove that folder")
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "texts.txt", "\n".join(texts.learnt) + "\n")
        write_json(path, asked)
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror}", "name another --out") from None
    return folder


def _check_clean(texts: Texts, restored: list[str]) -> None:
    share = share_of_noisy(texts.held_out, restored)
    if share > MOST_NOISY:
        found = f"{share:.0%} of {len(texts.held_out)} texts that were looked at are obfuscated, expected clean ones"
        raise DataError(found, "give texts as they should be; what is obfuscated already, hanpuri restore makes clean")


def _seconds_to_learn(settings: AdaptSettings, device: torch.device, spent: float) -> float:
    """Say how much of the time is left for steps, when as much as was spent up to here is needed once more behind."""
    usual = MINUTES_ON_CPU if device.type == "cpu" else MINUTES_ON_GPU
    whole = 60 * (settings.minutes or usual)
    return max(LEAST_SHARE * whole, whole - 2 * spent - WRITING_SECONDS)


def _seconds_of(folder: Path) -> float:
    """Read how long the steps took, in all slices."""
    seconds: float = json.loads((folder / "result.json").read_text(encoding="utf-8"))["seconds"]
    return seconds
