"""
Training, from the first step to the exported model, in seconds.

In: four sentences. Out: a network that restores them from noise it has never seen, the same however often it stopped.
"""

import json
import signal
from collections import Counter
from pathlib import Path

import pytest
import torch

from hanpuri.compact.learning.corpus import TextStream
from hanpuri.compact.learning.training import train
from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.compact.weights import load_network
from hanpuri.errors import DataError, RecipeError
from hanpuri.runs import Run
from hanpuri.runs.reading import read_run

SHORT = {"steps": 8, "batch_tokens": 96}
OFTEN = {"log_every": 1, "save_every": 3}
WEIGHTS, SUMS = "weights.safetensors", "model/SHA256SUMS"


@pytest.fixture
def go(tmp_path, tiny_recipe, score):
    """Train for a few steps in a folder below `tmp_path`; sections of the recipe are laid over by keyword."""

    def start(folder="run", *, report=lambda step, metrics: None, stop_after=float("inf"), begin_from=None, **sections):
        if isinstance(begin_from, Path):  # what a recipe names; else what a caller has in its hands
            sections["begin_from"], begin_from = str(begin_from), None
        recipe = tiny_recipe(tmp_path, **{"training": SHORT, "watch": OFTEN, **sections})
        keywords = {"report": report, "stop_after": stop_after, "begin_from": begin_from, "device": "cpu"}
        return train(recipe, tmp_path / folder, score=score, **keywords)

    return start


def metrics(folder: Path) -> list[dict[str, object]]:
    return list(Run(folder).metrics())


# --- learning


def test_a_tiny_network_learns_four_sentences_by_heart(run):
    assert run.result.finished
    assert run.result.scores["own"] > 0.95


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_either_optimizer_learns(go, optimizer):
    losses = []
    training = {"steps": 40, "batch_tokens": 768, "optimizer": optimizer}
    go(training=training, report=lambda step, found: losses.append(found.get("loss")))
    assert losses[0] == pytest.approx(7.8, abs=0.2)  # ln of 2,351 labels
    assert losses[-2] < 3


def test_sixteen_bits_train_too(go):
    assert go(training={**SHORT, "precision": "bf16"}).finished


# --- what a step draws


def test_files_without_weight_are_never_drawn_in_the_first_or_the_last_part(tmp_path, go, monkeypatch):
    for name in ("first", "last", "never"):
        (tmp_path / f"{name}.txt").write_text("방이 넓고 침대가 아주 편했어요\n" * 3, encoding="utf-8")
    shares = {"first": (1, 0), "last": (0, 1), "never": (0, 0)}
    data = [{"path": tmp_path / f"{n}.txt", "weight": w, "final_weight": f} for n, (w, f) in shares.items()]
    draw, drawn = TextStream.draw, []

    def watched_draw(stream, corpora, length, random=None, **more):
        drawn.append((Counter(corpora.tolist()), length))
        return draw(stream, corpora, length, random)

    monkeypatch.setattr(TextStream, "draw", watched_draw)
    go(data=data, training={**SHORT, "final_share": 0.25})
    steps = drawn[: SHORT["steps"]]  # the calibration draws once more
    # 96 items are three windows of 32, or four of 24
    assert steps == [(Counter({0: 3}), 32), (Counter({0: 4}), 24)] * 3 + [(Counter({1: 3}), 32), (Counter({1: 4}), 24)]


def test_windows_below_the_limit_are_drawn_as_texts_of_their_own(go, monkeypatch):
    draw, drawn = TextStream.draw, []

    def watched_draw(stream, corpora, length, random=None, *, as_texts=False):
        drawn.append((length, as_texts))
        return draw(stream, corpora, length, random, as_texts=as_texts)

    monkeypatch.setattr(TextStream, "draw", watched_draw)
    go(training={**SHORT, "texts_below": 32})
    assert drawn[: SHORT["steps"]] == [(32, False), (24, True)] * (SHORT["steps"] // 2)


# --- what a run leaves


def test_a_finished_run_leaves_a_model_that_restores(run, sentences):
    restorer = Restorer(run.result.folder / "model", threads=1)
    assert restorer.model == "model"
    assert restorer.restore([sentences[0]])[0].text == sentences[0]


def test_a_run_leaves_its_recipe_environment_metrics_and_weights(go):
    result = go()
    names = {path.name for path in result.folder.iterdir()}
    assert names == {
        *("recipe.yaml", "environment.json", "metrics.jsonl", "vocabulary.json"),
        *("checkpoint.pt", "weights.safetensors", "network.json", "model", "result.json"),
    }
    data = json.loads((result.folder / "environment.json").read_text(encoding="utf-8"))["data"]
    assert [Path(path).name for path in data] == ["four.txt", "pairs.jsonl"]


def test_metrics_tell_loss_rate_speed_and_scores(go):
    reported = []
    result = go(watch={"log_every": 4, "evaluate_every": 6}, report=lambda *told: reported.append(told))
    kinds = [(line["step"], sorted(set(line) - {"time", "step"})) for line in metrics(result.folder)]
    steps, scores = ["items_per_second", "learning_rate", "loss", "progress"], ["own", "whole"]
    assert kinds == [(4, steps), (6, scores), (8, steps), (8, scores)]
    assert [line["whole"] for line in metrics(result.folder) if "whole" in line] == ["false", "true"]
    assert [step for step, _ in reported] == [4, 6, 8, 8]
    assert reported[-1][1] == result.scores


def test_a_run_says_what_came_of_it(run):
    facts = read_run(run.result.folder)
    assert (facts.state, facts.step, facts.steps, facts.scores) == ("finished", 150, 150, run.result.scores)
    assert facts.seconds > 0


def test_only_so_many_rows_are_watched_and_all_are_scored_at_the_end(tmp_path, tiny_recipe):
    seen = []

    def count(hypotheses, references):
        seen.append((len(hypotheses), len(references)))
        return 0.5

    evaluation = [{"name": "own", "path": tmp_path / "pairs.jsonl", "rows": 3}]
    recipe = tiny_recipe(tmp_path, training=SHORT, watch={"evaluate_every": 4}, evaluation=evaluation)
    assert train(recipe, tmp_path / "run", score=count, device="cpu").scores == {"own": 0.5}
    assert seen == [(3, 3), (20, 20)]


# --- what is written: the average of the weights


def checkpoint(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoint.pt", weights_only=True)["tensors"]


def test_the_average_is_written_and_the_checkpoint_holds_both(run):
    folder = run.result.folder
    kept, written = checkpoint(folder), load_network(folder)[0].state_dict()
    averages = [value for name, value in kept.items() if name.startswith("average.")]
    for (name, value), average in zip(written.items(), averages, strict=True):
        assert torch.equal(value, average.half().float()), name
    assert not torch.equal(written["head.weight"], kept["network.head.weight"].half().float())


def test_without_an_average_the_last_weights_are_written(go):
    folder = go(training={**SHORT, "average_decay": 0}).folder
    kept = checkpoint(folder)
    assert not any(name.startswith("average.") for name in kept)
    for name, value in load_network(folder)[0].state_dict().items():
        assert torch.equal(value, kept[f"network.{name}"].half().float()), name


def test_looking_at_the_average_disturbs_no_step(go):
    training = {**SHORT, "dropout": 0.1}  # which would draw random numbers while looking, if it were not off
    often = go("often", training=training, watch={"evaluate_every": 1})
    never = go("never", training=training, watch={"evaluate_every": 100})
    assert (often.folder / WEIGHTS).read_bytes() == (never.folder / WEIGHTS).read_bytes()


# --- beginning from weights


def test_a_training_may_begin_from_a_network(go, run):
    network, vocabulary = load_network(run.result.folder)
    still = {**SHORT, "learning_rate": 1e-9, "weight_decay": 0}
    told = []
    result = go(training=still, begin_from=(network, vocabulary), report=lambda step, found: told.append(found))
    assert told[0]["loss"] < 1.5  # random weights begin at 7.8
    assert result.scores["own"] == pytest.approx(run.result.scores["own"], abs=0.01)
    assert (result.folder / "vocabulary.json").read_bytes() == (run.result.folder / "vocabulary.json").read_bytes()


def test_a_network_of_another_shape_is_not_begun_from(go, run):
    beginning = load_network(run.result.folder)
    with pytest.raises(
        ValueError, match=r"^the network to begin from is NetworkShape\(.*num_layers=2\), the recipe's is"
    ):
        go(network={"width": 64, "num_layers": 1}, begin_from=beginning)


def test_a_recipe_may_name_the_run_to_begin_from(go, run):
    still = {**SHORT, "learning_rate": 1e-9, "weight_decay": 0}
    told = []
    go(training=still, begin_from=run.result.folder, report=lambda step, found: told.append(found))
    assert told[0]["loss"] < 1.5
    with pytest.raises(RecipeError, match=r"is 64 wide and has 2 blocks, the recipe's 64 and 1; give `network` the"):
        go("other", network={"width": 64, "num_layers": 1}, begin_from=run.result.folder)
    with pytest.raises(DataError, match=r"nobody.* found no such file; name the folder of a run that has ended"):
        go("another", begin_from=run.result.folder / "nobody")


def test_a_run_does_not_go_on_from_another_beginning(go, run):
    network, vocabulary = load_network(run.result.folder)
    go(stop_after=0, begin_from=(network, vocabulary))
    network.head.bias.data += 1
    with pytest.raises(DataError, match="begin_from"):
        go(begin_from=(network, vocabulary))


# --- as long as a recipe says


def test_a_training_of_seconds_ends_annealed_however_often_it_stopped(go):
    training = {"batch_tokens": 96, "steps": None, "seconds": 0.4, "warmup_steps": 1, "learning_rate": 1.0}
    rates, sections = [], {"training": training, "watch": {"log_every": 1}}

    with pytest.raises(KeyboardInterrupt):
        go(**sections, report=ctrl_c_at(2))
    stopped_at = torch.load(go(**sections, stop_after=0).folder / "checkpoint.pt", weights_only=True)["seconds"]
    result = go(**sections, report=lambda step, found: rates.append(found.get("learning_rate")))
    assert result.finished
    assert 0 < stopped_at < 0.4 <= read_run(result.folder).seconds < 0.4 + 1
    assert rates[-2] == 0.01  # the last line tells scores
    assert rates[:-1] == sorted(rates[:-1], reverse=True)
    assert go(**sections) == result


# --- stopping and going on


def test_a_checkpoint_of_an_earlier_version_is_refused(go):
    folder = go(stop_after=0).folder
    torch.save({"step": 3, "network": {}}, folder / "checkpoint.pt")
    with pytest.raises(DataError) as caught:
        go()
    found = f"{folder / 'checkpoint.pt'} is an earlier version's"
    assert str(caught.value) == f"{found}; give the run another name, or remove its folder"


@pytest.fixture(autouse=True)
def ctrl_c_is_heard():
    """A shell starts what runs in the background deaf to ctrl-C, this test run perhaps with it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def ctrl_c_at(wanted: int):
    """Press ctrl-C while the metrics of a step are shown."""
    return lambda step, metrics: signal.raise_signal(signal.SIGINT) if step == wanted else None


def fall_over_at(wanted: int):
    """Lose the machine."""

    def report(step, metrics):
        if step == wanted:
            raise ConnectionError("the machine is gone")

    return report


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
@pytest.mark.parametrize(
    ("stop", "error", "kept_step"),
    [
        # ctrl-C is answered after the step, the state saved
        (ctrl_c_at(4), KeyboardInterrupt, 4),
        # a machine that is lost goes back to the last checkpoint, here every third step
        (fall_over_at(5), ConnectionError, 3),
    ],
)
def test_a_run_that_was_stopped_ends_with_the_same_weights_bit_for_bit(go, stop, error, kept_step, optimizer):
    training = {**SHORT, "optimizer": optimizer}
    whole = go("whole", training=training)
    with pytest.raises(error):
        go("stopped", training=training, report=stop)
    stopped = whole.folder.with_name("stopped")
    assert torch.load(stopped / "checkpoint.pt", weights_only=True)["step"] == kept_step
    assert not (stopped / WEIGHTS).exists()
    steps = []
    resumed = go("stopped", training=training, report=lambda step, found: steps.append(step))
    assert steps[0] == kept_step + 1
    assert resumed.scores == whole.scores
    for name in (WEIGHTS, SUMS):
        assert (stopped / name).read_bytes() == (whole.folder / name).read_bytes()


def test_stop_after_saves_and_says_that_it_is_not_finished(go):
    result = go("stopped", stop_after=0)
    assert (result.step, result.finished) == (0, False)
    assert not (result.folder / "model").exists()
    assert metrics(result.folder)[-1]["whole"] == "false"
    resumed, whole = go("stopped"), go("whole")
    assert (resumed.step, resumed.finished) == (8, True)
    assert (resumed.folder / WEIGHTS).read_bytes() == (whole.folder / WEIGHTS).read_bytes()


def test_a_second_ctrl_c_does_not_wait_for_the_step(go):
    def press_twice(step, found):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second ctrl-C came to nothing")

    with pytest.raises(KeyboardInterrupt):
        go(report=press_twice, watch={"log_every": 2, "save_every": 1})
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_training_that_is_deaf_to_ctrl_c_stays_so(go):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert go(report=ctrl_c_at(2)).finished


def test_ctrl_c_means_what_it_did_before_once_training_is_over(go):
    go()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_finished_run_that_is_run_again_does_nothing(go):
    first = go()
    files = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in first.folder.rglob("*") if path.is_file()}
    told = []
    assert go(report=lambda *report: told.append(report)) == first
    assert told == []
    for path, (changed, content) in files.items():
        if path.name not in ("recipe.yaml", "environment.json"):  # the run's folder is entered before it is looked at
            assert path.stat().st_mtime_ns == changed, path.name
        if path.name != "environment.json":
            assert path.read_bytes() == content, path.name


def test_a_finished_run_without_its_model_exports_it_again(go):
    first = go()
    sums = (first.folder / SUMS).read_bytes()
    (first.folder / SUMS).unlink()
    assert go() == first
    assert (first.folder / SUMS).read_bytes() == sums


def test_another_recipe_is_not_trained_into_the_same_folder(go, tmp_path):
    go()
    with pytest.raises(RecipeError) as caught:
        go(seed=1)
    found = f"{tmp_path / 'run'} holds a run of another recipe: seed 0 → 1"
    assert str(caught.value) == f"{found}; give the run another name, or remove that folder"


@pytest.mark.parametrize(("section", "differ"), [({"seed": 1}, True), ({"seed": 0}, False)])
def test_the_seed_decides_the_weights(go, section, differ):
    one, two = go("one"), go("two", **section)
    assert ((one.folder / WEIGHTS).read_bytes() != (two.folder / WEIGHTS).read_bytes()) is differ


# --- faults


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"data": [{"path": "gone.txt", "weight": 1, "final_weight": 1}]},
            "gone.txt: found no such file; correct the path in the recipe's data",
        ),
        (
            {"evaluation": [{"name": "own", "path": "gone.jsonl"}]},
            "gone.jsonl: found no such file; correct the path, or watch nothing (--set evaluation=[])",
        ),
        (
            {"training": {**SHORT, "window_lengths": [64, 16]}},
            "the corpora hold 63 characters, fewer than one window of 64; add text, or set shorter training.window_le",
        ),
        (
            {"evaluation": [{"name": "own", "path": "unpaired.jsonl"}]},
            "unpaired.jsonl:2: the field clean is None, expected a text; give pairs of noisy and clean",
        ),
    ],
)
def test_a_fault_in_the_data_is_told_before_the_first_step(tmp_path, monkeypatch, go, sections, message):
    monkeypatch.chdir(tmp_path)
    Path("unpaired.jsonl").write_text('{"noisy": "빵", "clean": "방"}\n{"noisy": "빵"}\n', encoding="utf-8")
    with pytest.raises(DataError) as caught:
        go(**sections)
    assert str(caught.value).startswith(message)


def test_a_missing_corpus_is_told_before_the_run_has_a_folder(go, tmp_path):
    with pytest.raises(DataError):
        go(data=[{"path": "gone.txt", "weight": 1, "final_weight": 1}])
    assert not (tmp_path / "run").exists()
