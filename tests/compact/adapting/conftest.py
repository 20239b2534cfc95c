"""
What the tests of adapting share: a user's texts that a tiny model has never seen, and one adaptation that is done.
"""

import random
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from hanpuri.compact.adapting.adapt import Adaptation, adapt
from hanpuri.compact.adapting.judging import Gain
from hanpuri.compact.adapting.settings import AdaptSettings
from hanpuri.compact.adapting.texts import divide
from hanpuri.compact.learning.export import export
from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.network import NetworkShape, RestorerNetwork
from hanpuri.compact.vocabulary import Vocabulary
from tests.compact.conftest import SENTENCES

WORDS = sorted(set(re.findall("[가-힣]+", SENTENCES.read_text(encoding="utf-8"))))[:40]


def compare(before: Sequence[str], after: Sequence[str], right: Sequence[str]) -> Gain:
    """Score by character; what counts as certain is a plain difference here."""
    first, second = (
        sum(one == other for one, other in zip("".join(said), "".join(right), strict=True)) / len("".join(right))
        for said in (before, after)
    )
    return Gain(first, second, second - first, second - first)


def draw_texts(count: int, seed: int = 0) -> list[str]:
    """Make texts of six words each, no two the same."""
    rng = random.Random(seed)
    texts = {" ".join(rng.sample(WORDS, 6)): None for _ in range(2 * count)}
    return list(texts)[:count]


class Adapted(NamedTuple):
    """An adaptation that is done: what it was made of, and what came back."""

    texts: list[str]
    base: Path
    done: Adaptation


@pytest.fixture(scope="session")
def texts() -> list[str]:
    return draw_texts(260)


def write_copier(folder: Path) -> Path:
    """
    Make a model that leaves every text as it is: each label has a code, by which it is read and known again.

    It takes no training, and has all to learn: its blocks say nothing yet.
    """
    counts = Counter({chr(point): 20 for point in range(0xAC00, 0xAC00 + 28)})
    vocabulary = Vocabulary.from_counts(counts)
    torch.manual_seed(3)
    network = RestorerNetwork(NetworkShape(vocabulary.offsets[-1], vocabulary.num_labels, 64, 1))
    codes = F.normalize(torch.randn(vocabulary.num_labels, 64), dim=-1)
    with torch.no_grad():
        network.embedding.weight[vocabulary.offsets[3] : vocabulary.offsets[4]] = codes
        network.head.weight.copy_(4 * codes)
        for block in network.blocks:
            block.attention_out.weight.zero_()
            block.down.weight.zero_()
    files = ModelFiles(folder)
    folder.mkdir()
    features = torch.from_numpy(np.stack([vocabulary.encode("방이 넓고 깨끗해서 좋았어요").features] * 8))
    export(network, features, files.network)
    vocabulary.save(files.vocabulary)
    files.write_sums()
    return folder


@pytest.fixture(scope="package", autouse=True)
def little_work():
    """Fewer samples to choose a tiny network's scales by, and fewer questions: most of the time is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hanpuri.compact.learning.export.SAMPLES_KEPT", 20_000)
        patch.setattr("hanpuri.compact.adapting.judging.GENERAL_FORMS", 2)
        yield


@pytest.fixture(scope="session")
def begun(tmp_path_factory) -> Path:
    """A tiny model that leaves all text alone, and knows no word."""
    return write_copier(tmp_path_factory.mktemp("begun") / "copier")


@pytest.fixture(scope="session")
def quick() -> AdaptSettings:
    """Settings for seconds; a tiny network that knows four sentences has nothing that it should stay near."""
    return AdaptSettings(passes=8, share=1.0, learning_rate=1e-2, pull=0.1, minutes=2)


@pytest.fixture(scope="session")
def adapted(tmp_path_factory, begun, texts, quick) -> Adapted:
    """The tiny model, adapted to texts in other words."""
    out = tmp_path_factory.mktemp("adapted") / "mine"
    divided = divide(texts, Vocabulary.load(begun / "vocabulary.json"), 0)
    done = adapt(divided, out, compare=compare, base=begun, settings=quick, device="cpu", threads=1)
    return Adapted(texts, begun, done)
