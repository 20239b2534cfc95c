"""
Fills the tables of the READMEs, the model cards and the docs, so that no figure in them is typed by hand.

In:  each model's card.json, checksums and recipe; the noise rules; the recipes' fields; what was measured.
Out: what stands between `<!-- scores:begin -->` and `<!-- scores:end -->` and between other such marks, written anew.

    python benchmarks/write_tables.py [--check]

With --check nothing is written; the exit code is 1 if a file is stale, and each such file is named.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))  # for `python benchmarks/write_tables.py`

from benchmarks.adaptation_table import make_table as adaptations  # noqa: E402
from benchmarks.keys_table import keys  # noqa: E402
from benchmarks.llm_experiments import tables as experiments  # noqa: E402
from benchmarks.service_table import service_rows  # noqa: E402
from hanpuri.compact.model_files import NEEDED, ModelFiles  # noqa: E402
from hanpuri.compact.settings import CompactRecipe  # noqa: E402
from hanpuri.compact.vocabulary import Vocabulary  # noqa: E402
from hanpuri.data.recipe import PrepareRecipe  # noqa: E402
from hanpuri.evaluation.verdict.recipe import VerdictRecipe  # noqa: E402
from hanpuri.noise.rules import RULES  # noqa: E402
from hanpuri.preferences.judge.recipe import JudgeRecipe  # noqa: E402
from hanpuri.recipe import read_recipe  # noqa: E402
from hanpuri.rounds.recipe import RoundsRecipe  # noqa: E402
from hanpuri.runs import sha256_of  # noqa: E402
from hanpuri.training.recipe import DpoRecipe, GrpoRecipe, PretrainRecipe, RewardRecipe, RlooRecipe, SftRecipe  # noqa: E402

RECIPES = REPOSITORY / "hanpuri" / "recipes"
SETS = ("reviews_gold", "prose_gold", "reviews_silver")
# A block has four matrices around attention and a feed-forward layer of four times the width.
MATRICES_IN_BLOCK = 12
UNKNOWN = "–"


class Published(NamedTuple):
    """What others reported: hidden test in character F1; rank 7's output was also scored by us, on the silver rows."""

    english: str
    korean: str
    parameters: str
    hidden_f1: str
    silver_accuracy: str = UNKNOWN


PUBLISHED = (
    Published("best seen on the public board", "공개 리더보드 최고점", UNKNOWN, "0.969"),
    Published("award-winning BiLSTM syllable tagger", "수상작: BiLSTM 음절 태거", "25M", "≈ 0.96"),
    Published("rank 7's published output", "7위의 공개 출력", UNKNOWN, UNKNOWN, "0.938"),
    Published("statistics + Viterbi", "통계 + 비터비", UNKNOWN, "0.945"),
    Published("gemma-ko-7b, QLoRA, augmentation (rank 22)", "gemma-ko-7b, QLoRA, 증강 (22위)", "7B", "0.852"),
    Published("Llama-3.1-8B, QLoRA + DPO (rank 25)", "Llama-3.1-8B, QLoRA + DPO (25위)", "8B", "0.833"),
    Published("gemma-ko-7b, LoRA", "gemma-ko-7b, LoRA", "7B", "0.675"),
)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], num_left: int = 1) -> str:
    """
    Lay out a Markdown table; the first `num_left` columns are text, the others numbers.

    >>> print(table(["model", "size"], [["base", "23 MB"]]))
    | model | size |
    |---|---:|
    | base | 23 MB |
    """
    rule = "|" + "".join("---|" if column < num_left else "---:|" for column in range(len(head)))
    return "\n".join([f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)])


def figure(card: dict[str, Any], *keys: str, form: str = ".4f") -> str:
    """
    Look a figure up in a card, and show it; what is not measured yet is a dash.

    >>> figure({"cer": {"prose_gold": 0.02}}, "cer", "prose_gold"), figure({}, "chars_per_second")
    ('0.0200', '–')
    """
    value: Any = card
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return UNKNOWN if value is None else format(value, form)


def count_parameters(files: ModelFiles) -> int:
    """Count a shipped model's parameters from its recipe's shape and its vocabulary."""
    recipe = read_recipe(RECIPES / f"{files.name}.yaml", {"compact": CompactRecipe})
    assert isinstance(recipe, CompactRecipe)
    vocabulary = Vocabulary.load(files.vocabulary)
    width, num_layers = recipe.network.width, recipe.network.num_layers
    embeddings, head = vocabulary.offsets[-1] * width, (width + 1) * vocabulary.num_labels
    return embeddings + num_layers * MATRICES_IN_BLOCK * width**2 + head


def megabytes(num_bytes: int) -> str:
    """Show a size."""
    return f"{num_bytes / 1e6:.1f} MB"


def models() -> list[ModelFiles]:
    """List the shipped models, the default one first."""
    return sorted(ModelFiles.shipped(), key=lambda files: -files.num_bytes)


def memory_of(card: dict[str, Any]) -> str:
    """Show the peak memory of a card."""
    value = figure(card, "peak_memory_mib", form=".0f")
    return value if value == UNKNOWN else f"{value} MiB"


def scores(head: Sequence[str]) -> str:
    """Make the table of models: size, memory, speed, accuracy on each set."""
    rows = []
    for files in models():
        card = files.card
        speed = figure(card, "chars_per_second", form=",.0f")
        accuracy = [figure(card, "char_accuracy", name) for name in SETS]
        clean = figure(card, "unchanged_clean", "reviews_gold")
        size = f"{count_parameters(files) / 1e6:.1f}M", megabytes(files.num_bytes)
        rows.append([f"`{files.name}`", *size, memory_of(card), speed, *accuracy, clean])
    return table(head, rows)


def published(head: Sequence[str], korean: bool) -> str:
    """Make the table of published results, ours beside them."""
    rows = []
    for other in PUBLISHED:
        name = other.korean if korean else other.english
        rows.append([name, other.parameters, other.hidden_f1, UNKNOWN, other.silver_accuracy, UNKNOWN])
    for files in models():
        card, size = files.card, f"{count_parameters(files) / 1e6:.1f}M"
        ours = [figure(card, "char_f1", "reviews_silver"), figure(card, "char_accuracy", "reviews_silver")]
        rows.append([f"hanpuri `{files.name}`", size, UNKNOWN, *ours, figure(card, "char_f1", "reviews_gold")])
    return table(head, rows)


def card_scores(files: ModelFiles) -> str:
    """Make the table of a model card: every score on every set, then what was measured how."""
    card = files.card
    names = "char_accuracy", "char_f1", "exact_match", "cer", "unchanged_clean"
    forms = {"unchanged_clean": ".5f"}
    rows = [[f"`{name}`", *(figure(card, name, one, form=forms.get(name, ".4f")) for one in SETS)] for name in names]
    before, after = figure(card, "kotox_cer", "as it is"), figure(card, "kotox_cer", "restored")
    speed, measured = figure(card, "chars_per_second", form=",.0f"), card.get("measured", {})
    lines = [
        table(["", *(f"`{name}_dev`" for name in SETS)], rows),
        "",
        f"`kotox_dev`: character error rate {before} as it is, {after} restored.",
        f"Speed on 2 CPU cores, start-up counted: {speed} characters/s; peak memory {memory_of(card)}.",
        f"Measured {measured.get('date', UNKNOWN)} by `{measured.get('command', UNKNOWN)}`.",
    ]
    return "\n".join(lines)


def card_files(files: ModelFiles) -> str:
    """Make the table of a model's files and their checksums."""
    rows = [
        [f"`{name}`", f"{(files.folder / name).stat().st_size:,}", f"`{sha256_of(files.folder / name)}`"]
        for name in NEEDED
    ]
    return table(["file", "bytes", "SHA-256"], rows) + f"\n\n{count_parameters(files):,} parameters."


def rules() -> str:
    """Make the table of noise rules."""
    rows = [[rule.name, rule.family, rule.what, f"{rule.clean} → {rule.noisy}"] for rule in RULES]
    return table(["rule", "family", "what it does", "example"], rows, num_left=4)


def preparations() -> str:
    """Make the table of what `benchmarks/preparation.py --write` measured."""
    rows = []
    measured = json.loads((REPOSITORY / "benchmarks" / "preparation.json").read_text(encoding="utf-8"))
    for recipe, one in measured.items():
        made = sum(one["rows"].values())
        rows.append(
            [f"`{recipe}`", f"{one['rows_read']:,}", f"{made:,}", f"{one['seconds']:,}", f"{one['memory_mib']:,} MiB"]
        )
    one = next(iter(measured.values()))
    where = f"{one['processes']} processes on 2 processors, {one['machine']}, {one['date']}"
    head = ["recipe", "rows read", "rows made", "seconds", "memory"]
    return f"{table(head, rows)}\n\n{where}, by `python benchmarks/preparation.py --write`."


def proof_of_alignment(figures: Mapping[str, Any] | None = None) -> str:
    """Make the table of what `benchmarks/align.py --write` measured, or of other such figures."""
    path = REPOSITORY / "benchmarks" / "align.json"
    if figures is None:
        figures = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if not figures:
        return "Nothing was measured yet: `python benchmarks/align.py --write`."
    sets = list(dict.fromkeys(name for one in figures.values() for name in one["sets"]))
    rows = []
    for one in figures.values():
        about = f"`{one['way']}`", str(one["seed"]), f"{one['seconds']:,.0f}" if one["seconds"] else UNKNOWN
        rows.append([*about, *(_gain(one["sets"].get(name)) for name in sets)])
    sizes = {name: one["rows"] for figure in figures.values() for name, one in figure["sets"].items()}
    head = ["way", "seed", "seconds", *(f"{name}, {sizes[name]:,} rows" for name in sets)]
    measured = "; ".join(dict.fromkeys(one["measured"] for one in figures.values()))
    return f"{table(head, rows)}\n\nMeasured {measured}, by `python benchmarks/align.py --write`."


def _gain(one: Mapping[str, Any] | None) -> str:
    """Show a score, and behind it what it has more than fine-tuning alone, with its interval."""
    if one is None:
        return UNKNOWN
    if "to_sft" not in one:
        return f"{one['char_accuracy'][0]:.4f}"
    more, low, high, p_value = one["to_sft"]
    chance = "" if p_value < 0.05 else ", chance"
    return f"{one['char_accuracy'][0]:.4f}, {more:+.4f} ({low:+.4f} to {high:+.4f}{chance})"


def service_figures(figures: Mapping[str, Any] | None = None, korean: bool = False) -> str:
    """Make the table of what `benchmarks/service.py --write` measured, or of other such figures."""
    path = REPOSITORY / "benchmarks" / "service.json"
    if figures is None:
        figures = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if not figures:
        return "Nothing was measured yet: `python benchmarks/service.py --write`."
    head, rows, where = service_rows(figures, korean)
    return f"{table(head, rows)}\n\n{where}, by `python benchmarks/service.py --write`."


SHARED = ("model.", "adapter.", "data.", "training.", "watch.", "name.", "seed.")
"""What the kinds that align have in common with `kind: sft`, whose table tells it."""
Table = Callable[[], str]
SCORES_ENGLISH = ("model", "parameters", "on disk", "memory", "characters/s", "gold", "prose", "silver", "clean kept")
SCORES_KOREAN = ("모델", "매개변수", "용량", "메모리", "초당 글자", "gold", "prose", "silver", "원문 보존")
PUBLISHED_ENGLISH = ("system", "parameters", "hidden test, F1", "silver, F1", "silver, accuracy", "gold, F1")
PUBLISHED_KOREAN = ("시스템", "매개변수", "비공개 평가, F1", "silver, F1", "silver, 정확도", "gold, F1")


def all_tables() -> dict[Path, dict[str, Table]]:
    """Say which table stands between which marks of which file."""
    found: dict[Path, dict[str, Table]] = {
        REPOSITORY / "README.md": {
            "scores": lambda: scores(SCORES_ENGLISH),
            "published": lambda: published(PUBLISHED_ENGLISH, korean=False),
            "service": service_figures,
        },
        REPOSITORY / "README.ko.md": {
            "scores": lambda: scores(SCORES_KOREAN),
            "published": lambda: published(PUBLISHED_KOREAN, korean=True),
            "service": lambda: service_figures(korean=True),
        },
        REPOSITORY / "docs" / "adapt.md": {"adaptation": adaptations},
        REPOSITORY / "docs" / "experiments.md": {
            "pretraining": experiments.pretraining,
            "foretold": experiments.foretold,
            "restoring": experiments.restoring,
            "answering": experiments.answering,
            "verdict": experiments.verdict,
            "computed": experiments.computed,
        },
        REPOSITORY / "docs" / "noise.md": {"rules": rules},
        REPOSITORY / "docs" / "training.md": {"keys": lambda: keys(CompactRecipe)},
        REPOSITORY / "docs" / "tuning.md": {
            "sft": lambda: keys(SftRecipe, without=("model.scratch.", "examples.tokenizers.")),
            "pretrain": lambda: keys(PretrainRecipe, without=("watch.generation.", "watch.evaluation_rows.")),
        },
        REPOSITORY / "docs" / "align.md": {
            "proof": proof_of_alignment,
            "reward": lambda: keys(RewardRecipe, without=SHARED),
            "dpo": lambda: keys(DpoRecipe, without=SHARED),
            "grpo": lambda: keys(GrpoRecipe, without=SHARED),
            "rloo": lambda: keys(RlooRecipe, without=(*SHARED, "sampling.", "rewards[].", "hacking.")),
        },
        REPOSITORY / "docs" / "preferences.md": {"keys": lambda: keys(JudgeRecipe, without=("engine.",))},
        REPOSITORY / "docs" / "rounds.md": {
            "keys": lambda: keys(RoundsRecipe, without=("adapter.", "model.quantization."))
        },
        REPOSITORY / "docs" / "service.md": {"figures": service_figures},
        REPOSITORY / "docs" / "verdict.md": {"keys": lambda: keys(VerdictRecipe, without=("candidates[].engine.",))},
        REPOSITORY / "docs" / "data.md": {"preparations": preparations, "keys": lambda: keys(PrepareRecipe)},
    }
    for files in models():
        found[files.folder / "README.md"] = {
            "scores": lambda files=files: card_scores(files),  # type: ignore[misc]
            "files": lambda files=files: card_files(files),  # type: ignore[misc]
        }
    return found


def fill(text: str, name: str, content: str) -> str:
    """
    Put `content` between the marks called `name`.

    >>> fill("a\\n<!-- x:begin -->\\nold\\n<!-- x:end -->\\nb", "x", "new")
    'a\\n<!-- x:begin -->\\nnew\\n<!-- x:end -->\\nb'

    Raises:
        ValueError: if the text has no such marks.
    """
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    before, has_begin, rest = text.partition(begin)
    _, has_end, after = rest.partition(end)
    if not has_begin or not has_end:
        raise ValueError(f"found no marks {begin.strip()} and {end}")
    return f"{before}{begin}{content}\n{end}{after}"


def main(check: bool) -> int:
    """Write every table, or name the files whose tables are stale."""
    stale = []
    for path, tables in all_tables().items():
        old = new = path.read_text(encoding="utf-8")
        for name, make in tables.items():
            new = fill(new, name, make())
        if new != old:
            stale.append(path)
            if not check:
                path.write_text(new, encoding="utf-8")
    told = "stale; run python benchmarks/write_tables.py" if check else "written"
    for path in stale:
        print(f"{path.relative_to(REPOSITORY)}: {told}")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv))
