"""
Short pairs of our own, and a recipe of two rounds of sampling, fine-tuning and DPO on them.

In: what a test wants changed. Out: fields as they stand in a recipe's file; rows.
"""

import copy
import json
from pathlib import Path
from typing import Any

WORDS = (
    "방이 넓어요",
    "너무 좋아요",
    "다시 올게요",
    "물이 맑아요",
    "밥이 맛있다",
    "길이 멀어요",
    "값이 싸네요",
    "눈이 와요",
)
NOISE = str.maketrans("방좋다요물밥길값눈", "빵죻댜욥뭏밮킬갑눙")
SFT = {
    "stage": "sft",
    "mix": {"prompts": 1, "samples": 1},
    "examples": {"template": "plain", "max_length": 64},
    "validation_share": 0.2,
    "training": {"steps": 2, "batch_size": 4, "learning_rate": 1e-3},
    "watch": {"log_every": 1, "evaluate_every": 2},
}
FIELDS: dict[str, Any] = {
    "kind": "rounds",
    "name": "tried",
    "rounds": 2,
    "model": {"path": "base"},
    "adapter": {"r": 2, "dropout": 0.0},
    "prompts": {"path": "train.jsonl", "rows": 12},
    "held_out": {"path": "held.jsonl", "batch_size": 64, "to_read": 2, "max_new_tokens": 12},
    "stop": None,
    "go_on_from": "last",
    "stages": [
        {
            "stage": "sample",
            "samples": 3,
            "temperature": 1.0,
            "batch_size": 64,
            "max_new_tokens": 12,
            "score": ["same_length"],
        },
        SFT,
        {
            "stage": "dpo",
            "mix": {"scores": 1, "earlier_pairs": 0.5},
            "validation_share": 0.2,
            "training": {"steps": 2, "batch_size": 4, "learning_rate": 1e-3},
            "watch": {"log_every": 1, "evaluate_every": 2, "save_every": 1},
        },
    ],
}


def changed(fields: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Change fields by their dotted keys, written with two underscores: stages__1__training__steps=3."""
    found = copy.deepcopy(fields)
    for key, value in changes.items():
        *parents, last = (int(part) if part.isdecimal() else part for part in key.split("__"))
        place: Any = found
        for parent in parents:
            place = place[parent]
        place[last] = value
    return found


def pairs(count: int, start: int = 0) -> list[dict[str, str]]:
    """Make pairs, each with a number of its own, so that no two are alike."""
    found = []
    for number in range(start, start + count):
        clean = f"{WORDS[number % len(WORDS)]} {chr(ord('가') + number)}"
        found.append({"noisy": clean.translate(NOISE), "clean": clean, "id": str(number)})
    return found


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write rows as JSONL."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
