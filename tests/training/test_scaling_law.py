"""
The scaling law: what is known comes back within its own interval, and what cannot be known is said.

In: simulated runs of a known law. Out: its figures, the best use of a compute, a page.
"""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from hanpuri.cli.scaling import run as scaling_law
from hanpuri.errors import DataError
from hanpuri.training.scaling_law import Trial, fit_law, read_table, read_trials
from hanpuri.training.scaling_page import write_page

FLOOR, A, B, ALPHA, BETA = TRUE = (0.7, 40.0, 60.0, 0.34, 0.28)
SIZES, AMOUNTS = (1e6, 3e6, 1e7, 3e7), (3e7, 1e8, 3e8, 1e9)


def simulate(noise=0.003, seed=1, sizes=SIZES, amounts=AMOUNTS):
    random = np.random.default_rng(seed)
    return [
        Trial(f"{n:g}-{d:g}", n, d, (FLOOR + A * n**-ALPHA + B * d**-BETA) * math.exp(noise * random.standard_normal()))
        for n in sizes
        for d in amounts
    ]


@pytest.fixture(scope="module")
def law():
    return fit_law(simulate(), "bits per byte", samples=80)


def test_a_known_law_comes_back_within_its_own_interval(law):
    for true, figure in zip(TRUE, law.figures.values(), strict=True):
        assert figure.low <= true <= figure.high
        assert figure.low <= figure.value <= figure.high
    assert law.doubts == ()


def test_without_noise_the_law_is_found_exactly():
    found = fit_law(simulate(noise=0), "bits per byte", samples=2)
    assert found.theta == pytest.approx(TRUE, rel=1e-3)


def test_a_run_that_went_wrong_does_not_bend_the_law():
    trials = simulate(noise=0)
    trials[5] = Trial("wrong", trials[5].parameters, trials[5].tokens, 2 * trials[5].loss)
    found = fit_law(trials, "bits per byte", samples=2)
    assert found.theta[3:] == pytest.approx(TRUE[3:], abs=0.02)


def test_the_best_use_of_a_compute_is_the_lowest_loss_of_all(law):
    budget = law.best_use(1e18)
    assert 6 * budget.parameters.value * budget.tokens.value == pytest.approx(1e18)
    for factor in (0.5, 0.9, 1.1, 2):
        n = budget.parameters.value * factor
        assert law.loss(n, 1e18 / 6 / n).value > budget.loss.value
    true = FLOOR + min(A * n**-ALPHA + B * (1e18 / 6 / n) ** -BETA for n in np.geomspace(1e6, 1e10, 2000))
    assert budget.loss.low <= true <= budget.loss.high


def test_what_noisy_runs_do_not_settle_is_said():
    found = fit_law(simulate(noise=0.08, sizes=SIZES[:3], amounts=(1e8, 2e8, 4e8)), "bits per byte", samples=60)
    assert any(
        re.match(r"(alpha|beta) is not settled by these runs \(.*\): add runs of other", one) for one in found.doubts
    )


def test_a_law_without_a_floor_is_told_to_foretell_too_little():
    trials = [replace(one, loss=30 * one.parameters**-0.12 * one.tokens**-0.05) for one in simulate(noise=0)]
    found = fit_law(trials, "bits per byte", samples=2)
    assert any(one.startswith("E, the loss that no model gets below, came out at ") for one in found.doubts)


def test_the_same_runs_give_the_same_figures():
    one, two = (fit_law(simulate(), "bits per byte", samples=3) for _ in range(2))
    assert np.array_equal(one.samples, two.samples)


@pytest.mark.parametrize(
    ("trials", "message"),
    [
        (
            simulate()[:5],
            "found 5 runs, expected at least 6: the law has five figures; train more small models,"
            " of at least three sizes and on at least three amounts of text",
        ),
        (
            simulate(sizes=SIZES[:2]),
            "the runs have 2 values of N, from 1e+06 to 3e+06, expected three at least, the largest 2 times the"
            " smallest; add runs with other parameters",
        ),
        (
            simulate(amounts=(1e8, 1.1e8, 1.2e8)),
            "the runs have 3 values of D, from 1e+08 to 1.2e+08, expected three at least, the largest 2 times the"
            " smallest; add runs with other tokens",
        ),
        # twenty tokens a parameter, as many a table of runs has
        (
            [Trial(str(n), n, 20 * n, 1.0) for n in np.geomspace(1e6, 1e8, 8)],
            "N and D of the runs rise together, so that nothing tells what each of them does;"
            " train some small models on more text, and some large ones on less",
        ),
    ],
)
def test_runs_that_tell_nothing_are_one_clear_line(trials, message):
    with pytest.raises(DataError) as caught:
        fit_law(trials, "bits per byte")
    assert str(caught.value) == message


# --- what it is read from


def save_run(folder, n=1e6, d=3e7, bits=1.2, finished=True, tied=True):
    (folder / "model").mkdir(parents=True)
    tables = 6000 * 64 * (1 if tied else 2)
    configuration = {"vocab_size": 6000, "hidden_size": 64, "tie_word_embeddings": tied}
    (folder / "model" / "config.json").write_text(json.dumps(configuration), encoding="utf-8")
    result = {"kind": "pretrain", "finished": finished, "tokens": d, "parameters": int(n + tables), "best_step": 1}
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    scores = {"eval_loss": 3.0} | ({"eval_bits_per_byte": bits} if bits else {})
    lines = [{"step": 1, "eval_loss": 2.0, "eval_bits_per_byte": 0.1}, {"step": 2, **scores}, {"step": 2, "loss": 1.0}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder


@pytest.mark.parametrize("tied", [True, False])
def test_a_run_counts_without_its_embeddings_and_with_its_last_loss(tmp_path, tied):
    run = save_run(tmp_path / "tiny", tied=tied)
    assert read_trials([run]) == ([Trial("tiny", 1e6, 3e7, 1.2)], "bits per byte")


def test_without_bits_of_all_runs_the_loss_is_taken(tmp_path):
    runs = [save_run(tmp_path / "a"), save_run(tmp_path / "b", bits=None)]
    trials, unit = read_trials(runs)
    assert ([one.loss for one in trials], unit) == ([3.0, 3.0], "nats per token")


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (
            lambda run: (run / "result.json").unlink(),
            "{run}: found no finished run of training in this folder; leave it out, or finish it",
        ),
        (
            lambda run: (run / "metrics.jsonl").unlink(),
            "{run}: found no eval_loss in metrics.jsonl; leave this run out",
        ),
        (
            lambda run: (run / "model" / "config.json").unlink(),
            "{run}: found no model/config.json with its sizes; give a run of kind: pretrain",
        ),
    ],
)
def test_a_run_that_lacks_something_is_one_clear_line(tmp_path, break_it, message):
    run = save_run(tmp_path / "tiny")
    break_it(run)
    with pytest.raises(DataError) as caught:
        read_trials([run])
    assert str(caught.value) == message.format(run=run)


@pytest.mark.parametrize("head", ["N,D,loss", "parameters,tokens,loss", "D,loss,N"])
def test_a_table_is_read_by_its_columns(tmp_path, head):
    values = {"N": "1e6", "D": "30_000_000", "L": "1.2", "parameters": "1e6", "tokens": "3e7", "loss": "1.2"}
    path = tmp_path / "runs.csv"
    path.write_text(f"{head}\n{','.join(values[name] for name in head.split(','))}\n", encoding="utf-8")
    assert read_table(path) == [Trial(f"{path}:2", 1e6, 3e7, 1.2)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("N,D,loss\n1e6,3e7,-1\n", "{path}:2: loss is '-1', expected a number above 0; mend this row"),
        ("N,D,loss\n1e6,many,1\n", "{path}:2: D is 'many', expected a number above 0; mend this row"),
        ("N,loss\n1e6,1\n", "{path}: found no column D or tokens; give N, D and loss, a run a row"),
    ],
)
def test_a_fault_in_a_table_names_its_place(tmp_path, text, message):
    path = tmp_path / "runs.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert str(caught.value) == message.format(path=path)


# --- what is shown


def test_the_page_holds_the_figures_the_uses_and_the_runs(law):
    html = write_page(law, [law.best_use(1e18), law.best_use(1e22)])
    for text in ("alpha", "1e+18", "3e+07-1e+09", "bits per byte", "<svg", "the law may bend before"):
        assert text in html
    assert "http" not in html.replace("http-equiv", "")


def test_the_command_prints_a_table_or_json_and_writes_the_page(tmp_path, capsys):
    table, out = tmp_path / "runs.csv", tmp_path / "law.html"
    rows = (f"{one.parameters},{one.tokens},{one.loss}" for one in simulate())
    table.write_text("\n".join(["N,D,loss", *rows]), encoding="utf-8")
    scaling_law([], table, [1e18], ["1e9,3e10"], out, as_json=False)
    printed = capsys.readouterr().out
    assert re.search(r"^  alpha  0\.3\d+ \(0\.\d+ to 0\.\d+\)$", printed, re.MULTILINE)
    assert re.search(r"^1e\+18 +\d+\.?\d* M \(.*\) +\d\.\d+ B \(.*\) +0\.9\d+ \(.*\)$", printed, re.MULTILINE)
    assert re.search(r"^1e\+09 parameters on 3e\+10 tokens: loss 0\.\d+ \(.*\)$", printed, re.MULTILINE)
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    scaling_law([], table, [], ["1e9,3e10"], None, as_json=True)
    told = json.loads(capsys.readouterr().out)
    (point,) = told["foretold"]
    assert (point["parameters"], point["tokens"]) == (1e9, 3e10)
    assert point["loss"]["low"] <= point["loss"]["value"] <= point["loss"]["high"]
    assert (told["runs"], len(told["uses"]), set(told["figures"])) == (16, 2, {"E", "A", "B", "alpha", "beta"})


def test_runs_or_a_table_have_to_be_given(tmp_path):
    with pytest.raises(DataError, match="give runs, or a table of them"):
        scaling_law([], None, [], [], None, as_json=False)
    with pytest.raises(DataError, match="compute is -1, expected a number above 0"):
        scaling_law([tmp_path], None, [-1], [], None, as_json=False)


@pytest.mark.parametrize("told", ["1e9", "1e9,", "1e9,3e10,5", "-1,3e10", "nan,1", "inf,1", "many,1"])
def test_what_is_to_be_foretold_is_two_numbers(tmp_path, told):
    with pytest.raises(DataError) as caught:
        scaling_law([tmp_path], None, [], [told], None, as_json=False)
    assert str(caught.value) == f"--at is '{told}', expected parameters and tokens; write them as 1.1e8,2.6e8"
