"""
Small training runs ─► the law that they follow ─► the model and the text for a large one.

In: runs, each with its parameters N (embeddings not counted), tokens D and loss. Out: L = E + A/N^alpha + B/D^beta with
the uncertainty of each figure, and for a given compute C = 6·N·D the N and the D that give the lowest loss:

    16 runs of 1 to 30 M parameters  ─►  alpha 0.32 (0.30 to 0.35), beta 0.29 (0.25 to 0.30), E 0.70 (0.65 to 0.72)
    compute 1e18                     ─►  N 47 M (36 M to 52 M), D 3.5 B (3.2 B to 4.6 B), loss 0.93 (0.91 to 0.93)

The form and the fit are those of Hoffmann et al. 2022 (Chinchilla): the Huber loss of log L, so that one run that went
wrong does not bend the law, from many starts. Uncertainty comes from fitting again on runs drawn with replacement. It
is that of the fit; that the law goes on beyond the runs is an assumption that no figure here covers. (The runs above
were made up, with 0.34, 0.28 and 0.7.)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hanpuri.data.files.sources import open_source
from hanpuri.errors import DataError
from hanpuri.runs.reading import RunFacts, is_number, read_json, read_run

Floats = npt.NDArray[np.float64]

MIN_RUNS = 6  # one more than the law has figures
MIN_SPREAD = 2.0  # the largest N (and D) over the smallest
MAX_CORRELATION = 0.98  # of log N and log D
SAMPLES = 200
INTERVAL = (5, 95)  # percent: nine times in ten, the truth should lie between
HUBER = 1e-3  # residuals of log L beyond this count by their size, no longer by its square
ITERATIONS = 100
WIDE = 0.5  # an exponent that is known no better than this is not known
NO_FLOOR = 0.1  # of the lowest loss: a text that no model gets below has more left than this
NAMES = ("E", "A", "B", "alpha", "beta")
COLUMNS = {"parameters": ("N", "parameters"), "tokens": ("D", "tokens"), "loss": ("loss",)}


@dataclass(frozen=True)
class Trial:
    """One small run."""

    name: str
    parameters: float
    tokens: float
    loss: float


class Figure(NamedTuple):
    """A value, and between what it lies nine times in ten."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Budget:
    """The best use of a compute."""

    compute: float
    """Floating-point operations: 6·N·D."""
    parameters: Figure
    tokens: Figure
    loss: Figure


@dataclass(frozen=True)
class Law:
    """A fitted law."""

    trials: tuple[Trial, ...]
    unit: str
    """Of the loss."""
    theta: Floats
    """(5,) E, A, B, alpha, beta."""
    samples: Floats
    """(S, 5) the same of each refit."""

    @property
    def figures(self) -> dict[str, Figure]:
        """E, A, B, alpha and beta, each with its interval."""
        return {name: _figure(self.theta[i], self.samples[:, i]) for i, name in enumerate(NAMES)}

    @property
    def doubts(self) -> tuple[str, ...]:
        """What the runs do not settle, a sentence each."""
        what = {"alpha": ("model sizes", "N"), "beta": ("amounts of text", "D")}
        open_exponents = tuple(
            f"{name} is not settled by these runs ({low:.2f} to {high:.2f}): add runs of other {what[name][0]},"
            f" a larger range of {what[name][1]}"
            for name, (_, low, high) in self.figures.items()
            if name in what and high - low > WIDE
        )
        if self.figures["E"].value > NO_FLOOR * min(one.loss for one in self.trials):
            return open_exponents
        found = f"E, the loss that no model gets below, came out at {self.figures['E'].value:.2g}"
        told = "what is foretold beyond the runs is likely too low: look at its upper bound, add longer runs"
        return (*open_exponents, f"{found}, {told}")

    def loss(self, parameters: float, tokens: float) -> Figure:
        """Foretell the loss of a run."""
        return _figure(_law(self.theta, parameters, tokens), _law(self.samples.T, parameters, tokens))

    def best_use(self, compute: float) -> Budget:
        """Find N and D of the lowest loss among all with 6·N·D = `compute`."""
        parameters, samples = _best_parameters(self.theta, compute), _best_parameters(self.samples.T, compute)
        tokens, sampled_tokens = compute / 6 / parameters, compute / 6 / samples
        loss = _figure(_law(self.theta, parameters, tokens), _law(self.samples.T, samples, sampled_tokens))
        return Budget(compute, _figure(parameters, samples), _figure(tokens, sampled_tokens), loss)


def read_trials(runs: Sequence[Path]) -> tuple[list[Trial], str]:
    """
    Read finished runs of pre-training, and the unit of their loss: bits per byte if all have it, else nats per token.

    The loss is that of the last evaluation, after all tokens, and not that of the best step.

    Raises:
        DataError: if one is no finished run, or holds no loss.
    """
    facts = [_read_finished(run) for run in runs]
    scores = [run.evaluations[-1] if run.evaluations else {} for run in facts]
    name = "eval_bits_per_byte" if all("eval_bits_per_byte" in score for score in scores) else "eval_loss"
    trials = []
    for run, score in zip(facts, scores, strict=True):
        if not is_number(loss := score.get(name)):
            raise DataError(f"{run.folder}: found no {name} in metrics.jsonl", "leave this run out")
        trials.append(Trial(run.name, _parameters(run), float(run.result["tokens"]), float(loss)))
    return trials, "bits per byte" if name == "eval_bits_per_byte" else "nats per token"


def read_table(path: Path) -> list[Trial]:
    """
    Read runs from a CSV, TSV, JSONL or Parquet file with the columns N, D and loss (or parameters, tokens, loss).

    Raises:
        DataError: if a column is missing, or a value is no number above 0.
    """
    source = open_source(path, field="loss")
    columns = {}
    for ours, names in COLUMNS.items():
        found = [name for name in names if name in source.columns]
        if not found:
            raise DataError(f"{path}: found no column {' or '.join(names)}", "give N, D and loss, a run a row")
        columns[ours] = found[0]
    trials = []
    for row in source.rows():
        record = row.record or {}
        values = {ours: _positive(record[name], row.where, name) for ours, name in columns.items()}
        trials.append(Trial(str(record.get("name") or row.where), **values))
    return trials


def fit_law(trials: Sequence[Trial], unit: str, *, seed: int = 0, samples: int = SAMPLES) -> Law:
    """
    Fit the law, and fit it again on runs drawn with replacement.

    Args:
        trials: the runs.
        unit: of their loss.
        seed: of the draws.
        samples: how many refits.

    Raises:
        DataError: if the runs are too few, or too alike to tell what N and D do.
    """
    _check(trials)
    n, d, log_loss = (np.log([getattr(one, name) for one in trials]) for name in ("parameters", "tokens", "loss"))
    ones = np.ones((1, len(trials)))
    theta = _best_of(n, d, log_loss, ones, _starts(log_loss))[0]
    counts = _draws(n, d, np.random.default_rng(seed), samples)
    near = np.concatenate([_raw(theta, n, d)[None], _starts(log_loss)[::9]])
    return Law(tuple(trials), unit, theta, _best_of(n, d, log_loss, counts, near))


def _figure(value: Any, samples: Floats) -> Figure:
    low, high = np.percentile(samples, INTERVAL)
    return Figure(float(value), float(low), float(high))


def _law(theta: Floats, parameters: Any, tokens: Any) -> Any:
    floor, a, b, alpha, beta = theta
    return floor + a * parameters**-alpha + b * tokens**-beta


def _best_parameters(theta: Floats, compute: float) -> Any:
    _, a, b, alpha, beta = theta
    return ((alpha * a / (beta * b)) ** (1 / (alpha + beta))) * (compute / 6) ** (beta / (alpha + beta))


def _check(trials: Sequence[Trial]) -> None:
    if len(trials) < MIN_RUNS:
        raise DataError(
            f"found {len(trials)} runs, expected at least {MIN_RUNS}: the law has five figures",
            "train more small models, of at least three sizes and on at least three amounts of text",
        )
    for name, sign in (("parameters", "N"), ("tokens", "D")):
        values = {getattr(one, name) for one in trials}
        if len(values) < 3 or max(values) < MIN_SPREAD * min(values):
            raise DataError(
                f"the runs have {len(values)} values of {sign}, from {min(values):.3g} to {max(values):.3g}, expected"
                f" three at least, the largest {MIN_SPREAD:g} times the smallest",
                f"add runs with other {name}",
            )
    n, d = (np.log([getattr(one, name) for one in trials]) for name in ("parameters", "tokens"))
    if abs(np.corrcoef(n, d)[0, 1]) > MAX_CORRELATION:
        raise DataError(
            "N and D of the runs rise together, so that nothing tells what each of them does",
            "train some small models on more text, and some large ones on less",
        )


def _draws(n: Floats, d: Floats, random: np.random.Generator, samples: int) -> Floats:
    """Draw how often each run counts, (samples, runs); draws that a law cannot be fitted to are drawn again."""
    drawn: list[Floats] = []
    while len(drawn) < samples:
        counts = random.multinomial(len(n), np.full(len(n), 1 / len(n))).astype(np.float64)
        there = counts > 0
        if there.sum() >= len(NAMES) and len(np.unique(n[there])) >= 2 and len(np.unique(d[there])) >= 2:
            drawn.append(counts)
    return np.array(drawn)


def _starts(log_loss: Floats) -> Floats:
    """Lay out where to start from: (27, 5) log E, log A and log B in the middle of the runs, log alpha, log beta."""
    lowest, middle = math.exp(log_loss.min()), math.exp(np.median(log_loss))
    starts = [
        (math.log(share * lowest), *[math.log((middle - share * lowest) / 2)] * 2, math.log(alpha), math.log(beta))
        for share in (0.3, 0.6, 0.9)
        for alpha in (0.2, 0.5, 1.0)
        for beta in (0.2, 0.5, 1.0)
    ]
    return np.array(starts)


def _raw(theta: Floats, n: Floats, d: Floats) -> Floats:
    floor, a, b, alpha, beta = theta
    at_middle = math.log(a) - alpha * n.mean(), math.log(b) - beta * d.mean()
    return np.array([math.log(floor), *at_middle, math.log(alpha), math.log(beta)])


def _best_of(n: Floats, d: Floats, log_loss: Floats, counts: Floats, starts: Floats) -> Floats:
    """Fit once for each row of `counts` from every start, and keep the best: (S, 5) E, A, B, alpha, beta."""
    raw = np.tile(starts, (len(counts), 1))
    weights = np.repeat(counts, len(starts), axis=0)
    raw, losses = _descend(raw, n - n.mean(), d - d.mean(), log_loss, weights)
    chosen = losses.reshape(len(counts), -1).argmin(axis=1) + np.arange(len(counts)) * len(starts)
    floor, a, b, alpha, beta = raw[chosen].T
    alpha, beta = np.exp(alpha), np.exp(beta)
    return np.stack([np.exp(floor), np.exp(a + alpha * n.mean()), np.exp(b + beta * d.mean()), alpha, beta], axis=1)


def _descend(raw: Floats, n: Floats, d: Floats, log_loss: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """
    Minimise the Huber loss from many starts at once: Levenberg and Marquardt's steps with reweighted residuals.

    scipy would do it one start at a time, and hanpuri does not need it for anything else.
    """
    damping = np.full(len(raw), 1e-2)
    losses = _huber(_residuals(raw, n, d, log_loss)[0], counts)
    for _ in range(ITERATIONS):
        residuals, slopes = _residuals(raw, n, d, log_loss)
        weights = counts * np.minimum(1, HUBER / np.maximum(np.abs(residuals), 1e-12))
        gradient = np.einsum("si,sij->sj", weights * residuals, slopes)
        curvature = np.einsum("si,sij,sik->sjk", weights, slopes, slopes)
        diagonal = np.einsum("sjj->sj", curvature)
        diagonal += damping[:, None] * diagonal + 1e-12
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        tried = np.clip(raw - np.clip(step, -2, 2), -30, (30, 30, 30, 1.5, 1.5))
        found = _huber(_residuals(tried, n, d, log_loss)[0], counts)
        better = found < losses
        raw, losses = np.where(better[:, None], tried, raw), np.where(better, found, losses)
        damping = np.clip(np.where(better, damping / 3, damping * 4), 1e-10, 1e10)
    return raw, losses


def _residuals(raw: Floats, n: Floats, d: Floats, log_loss: Floats) -> tuple[Floats, Floats]:
    """Give log L as foretold less as measured (S, runs), and its slopes (S, runs, 5)."""
    floor, a, b, alpha, beta = (column[:, None] for column in raw.T)
    alpha, beta = np.exp(alpha), np.exp(beta)
    parts = np.stack([floor + 0 * n, a - alpha * n, b - beta * d], axis=-1)
    total = np.logaddexp.reduce(parts, axis=-1)
    shares = np.exp(parts - total[..., None])
    by_n, by_d = -shares[..., 1] * alpha * n, -shares[..., 2] * beta * d
    return total - log_loss, np.concatenate([shares, by_n[..., None], by_d[..., None]], axis=-1)


def _huber(residuals: Floats, counts: Floats) -> Floats:
    size = np.abs(residuals)
    each = np.where(size <= HUBER, size**2 / 2, HUBER * (size - HUBER / 2))
    total: Floats = (counts * each).sum(axis=1)
    return total


def _read_finished(folder: Path) -> RunFacts:
    run = read_run(folder)
    if not run.result.get("finished") or not is_number(run.result.get("tokens")):
        raise DataError(f"{folder}: found no finished run of training in this folder", "leave it out, or finish it")
    return run


def _parameters(run: RunFacts) -> float:
    """Count a run's parameters without the tables that read and write tokens."""
    told = read_json(run.folder / "model" / "config.json")
    total, width, height = run.result.get("parameters"), told.get("hidden_size"), told.get("vocab_size")
    if not (is_number(total) and is_number(width) and is_number(height)):
        raise DataError(f"{run.folder}: found no model/config.json with its sizes", "give a run of kind: pretrain")
    tables = 1 if told.get("tie_word_embeddings", True) else 2
    return float(total - tables * width * height)


def _positive(value: object, where: str, name: str) -> float:
    try:
        number = float(str(value).replace(",", "").replace("_", ""))
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise DataError(f"{where}: {name} is {value!r}, expected a number above 0", "mend this row")
    return number
