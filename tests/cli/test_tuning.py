"""
`hanpuri train` for LLMs as a user meets it: what is refused, in which words, and that nothing is left on the disk then.

In this process, as the libraries take seconds to load; the happy road once in a process of its own, without a network.
"""

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from hanpuri.cli import main
from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.training.recipe import AdapterSettings, ModelSettings, ScratchSettings

from .conftest import Outcome

SENTENCES = (Path(__file__).parents[1] / "cases" / "sentences.txt").read_text(encoding="utf-8").splitlines()
FAQ = {
    "kind": "sft",
    "name": "faq",
    "model": {"path": "models/tiny"},
    "adapter": {"r": 4, "dropout": 0.0},
    "data": {"path": "faq.jsonl", "validation_share": 0.2},
    "examples": {"template": "koalpaca", "max_length": 128},
    "training": {"steps": 4, "batch_size": 2, "learning_rate": 1e-3},
    "watch": {"log_every": 1, "evaluate_every": 2},
}
SMALL = {
    "kind": "pretrain",
    "name": "small",
    "model": {"scratch": {"hidden_size": 32, "num_layers": 2, "num_heads": 4, "max_positions": 64}},
    "tokenizer": {"train": {"vocab_size": 400}},
    "data": {"corpora": [{"path": "corpus.txt"}], "validation": 0.1},
    "max_length": 32,
    "training": {"steps": 4, "batch_size": 2, "learning_rate": 1e-3},
}
MEND = "; mend these keys, or see the shipped recipes"
LIKENESS = "; give the run another name, or remove that folder"


def save_model(folder: Path, tokenizer: Path, architecture: str = "llama", hidden_size: int = 32) -> Path:
    """Save a tiny model with random weights."""
    from hanpuri.training.loading.models import quiet_loading
    from hanpuri.training.loading.scratch import make_model

    sizes = {"hidden_size": hidden_size, "num_layers": 2, "num_heads": 4, "max_positions": 128}
    loaded = load_tokenizer(tokenizer)
    with quiet_loading():
        make_model(ScratchSettings(architecture=architecture, **sizes), None, loaded, 0).save_pretrained(folder)
    loaded.fast.save_pretrained(folder)
    return folder


def save_adapter_for(base: Path, folder: Path) -> None:
    """Save a new adapter for a model."""
    from hanpuri.training.loading.adapters import attach_adapter, save_adapter
    from hanpuri.training.loading.models import load_model

    model = load_model(ModelSettings(path=str(base)), learns_whole=False, device="cpu")
    save_adapter(attach_adapter(model, AdapterSettings(r=2), seed=0), folder)


def change(path: Path, **fields: object) -> None:
    """Change fields of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **fields}), "utf-8")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory, tokenizer_folder) -> Path:
    """All that the tests bring: models, some of them broken, rows, recipes."""
    import pyarrow
    import pyarrow.parquet

    shelf = tmp_path_factory.mktemp("shelf")
    tiny = save_model(shelf / "models" / "tiny", tokenizer_folder("bytes"))
    save_model(shelf / "models" / "other", tokenizer_folder("bytes"), "qwen3")
    save_adapter_for(shelf / "models" / "other", shelf / "adapters" / "other")
    for name in ("more", "ends", "cut"):
        shutil.copytree(tiny, shelf / "models" / name)
    backend = json.loads((tiny / "tokenizer.json").read_text("utf-8"))
    there = backend["model"]["vocab"]
    change(
        shelf / "models" / "more" / "tokenizer.json",
        model={**backend["model"], "vocab": {**there, **{f"새말{place}": 900 + place for place in range(50)}}},
    )
    change(shelf / "models" / "ends" / "config.json", eos_token_id=7)
    weights = shelf / "models" / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    rows = [{"instruction": f"{one} 맞나요?", "input": "", "output": one} for one in SENTENCES[:30]]
    (shelf / "faq.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    rows[3] = {"instruction": "네? " * 100, "output": "네."}
    (shelf / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (shelf / "corpus.txt").write_text("\n".join(SENTENCES * 4), "utf-8")
    (shelf / "mine.yaml").write_text("prompt_no_input: '물음: {instruction}\n답:'\n", "utf-8")
    (shelf / "nothing").mkdir()
    table = pyarrow.table({name: pyarrow.array([], pyarrow.string()) for name in ("id", "noisy", "clean")})
    pyarrow.parquet.write_table(table, shelf / "nothing" / "train.parquet")
    (shelf / "my.yaml").write_text(yaml.safe_dump(FAQ), "utf-8")
    (shelf / "small.yaml").write_text(yaml.safe_dump(SMALL), "utf-8")
    return shelf


@pytest.fixture
def desk(shelf, tmp_path, monkeypatch) -> Path:
    """A copy of it to work in."""
    shutil.copytree(shelf, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(desk, monkeypatch, capsys) -> Callable[..., Outcome]:
    """Run `hanpuri` at the desk, in this process."""

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["hanpuri", *arguments])
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = capsys.readouterr()
        return Outcome(code, told.out, told.err)

    return run


@pytest.fixture(scope="module")
def finished(shelf, tmp_path_factory) -> Path:
    """A desk at which a run has come to its end."""
    place = tmp_path_factory.mktemp("finished")
    shutil.copytree(shelf, place, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(sys, "argv", ["hanpuri", "train", "my.yaml", "--set", "training.steps=2"])
        with pytest.raises(SystemExit) as ended:
            main()
    assert not ended.value.code
    return place


@pytest.fixture(scope="module", autouse=True)
def quick_collections():
    """Each run collects garbage once; spare it the libraries, through which it else goes for most of a short run."""
    from hanpuri.training.loading.models import quiet_loading

    with quiet_loading():
        import hanpuri.training.loop.next_token  # noqa: F401
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def no_curves():
    """Leave out the page of curves, which takes as long as all steps together; the whole road draws it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hanpuri.training.loop.watching.Watch.draw_curves", lambda self, *, now=False: None)
        yield


@pytest.fixture
def nothing_long(monkeypatch) -> None:
    """Let no weight be loaded, no tokenizer be trained and no corpus be encoded."""

    def begin(*_: object, **__: object) -> None:
        raise AssertionError("the long part began")

    for name in (
        "assembly.load_model",
        "corpora.make_model",
        "corpora.train_tokenizer",
        "corpora.make_training_blocks",
    ):
        monkeypatch.setattr(f"hanpuri.training.assembling.{name}", begin)


def runs_of(desk: Path) -> list[str]:
    """What lies where runs are made, the cache of tokens left out."""
    return sorted(path.name for path in desk.glob("runs/*") if path.name != ".tokens")


Disk = namedtuple("Disk", "total used free")

# What is asked for, and the line that is said before a weight is loaded, a tokenizer trained or a corpus encoded.
REFUSED = [
    # --- the recipe, checked as a whole
    # a name that is no recipe
    (
        ["xyz"],
        "no recipe is called 'xyz'; shipped are base, char-lm, cpu-tiny, cpu-tiny-chatbot, cpu-tiny-restoration,"
        " dpo-tiny, gemma-ko-7b-restoration-qlora, grpo-tiny, korean-llama, korean-llama-chatbot,"
        " korean-llama-restoration, korean-llama-rounds, llama-pretrain-small, polyglot-ko-12.8b-koalpaca-qlora,"
        " qwen3-sft-lora, restoration-dpo, restoration-grpo, restoration-llm, reward-tiny, rounds-llama3, rounds-tiny,"
        " small; give a recipe file, or one of these names",
    ),
    # a slip in a file's name, and one in a shipped recipe's
    *(
        ([name], f"no recipe is called '{name}'; did you mean {meant}?")
        for name, meant in (("my.yml", "my.yaml"), ("cpu-tinny", "cpu-tiny"))
    ),
    # of another kind
    (
        ["my.yaml", "--set", "kind=prepare"],
        "my.yaml: kind is 'prepare', expected one of compact, pretrain, sft, reward, dpo, grpo, rloo, rounds"
        "; write e.g. `kind: compact`",
    ),
    # wrong keys, all at once
    (
        ["my.yaml", "--set", "trainig.steps=3", "--set", "model.pth=x", "--set", "watch.best_bye=loss"],
        "my.yaml: model.pth: no such key, did you mean path?; watch.best_bye: no such key, did you mean best_by?"
        f"; trainig: no such key, did you mean training?{MEND}",
    ),
    # wrong values, all at once
    (
        ["my.yaml", "--set", "training.steps=-1", "--set", "training.learning_rate=fast", "--set", "adapter.r=0"],
        "my.yaml: adapter.r: Input should be greater than or equal to 1 (found 0)"
        "; training.steps: Input should be greater than or equal to 1 (found -1)"
        "; training.learning_rate: Input should be a valid number, unable to parse string as a number (found 'fast')"
        f"{MEND}",
    ),
    # both, and neither
    (
        ["my.yaml", "--set", "training.epochs=1"],
        f"my.yaml: training: give either `epochs` or `steps`{MEND}",
    ),
    (
        ["my.yaml", "--set", "training.steps=null"],
        f"my.yaml: training: give either `epochs` or `steps`{MEND}",
    ),
    # best by what nobody measures
    (
        ["my.yaml", "--set", "watch.best_by=token_f1"],
        f"my.yaml: watch: best_by token_f1 needs `generation` with this measure{MEND}",
    ),
    # names that lead out of the folder of runs, or hide in it
    *(
        (
            ["my.yaml", "--set", f"name={name}"],
            "my.yaml: name: a folder's name is made of letters, digits, _, - and ., and begins with one of the first"
            f" three (found '{name}'){MEND}",
        )
        for name in ("a/b", "..", ".faq")
    ),
    # items of lists
    (
        ["small.yaml", "--set", "data.corpora.1.path=corpus.txt"],
        "the override 'data.corpora.1.path=corpus.txt' goes into item 1 of a list that has 1"
        "; items are counted from 0, as in sources.0.rows=100",
    ),
    (
        ["my.yaml", "--set", "watch.trackers.0=wandb"],
        "the override 'watch.trackers.0=wandb' goes into item 0 of watch.trackers, which the recipe does not list"
        "; set the whole: watch.trackers=[…]",
    ),
    (
        ["my.yaml", "--set", "watch.trackers=wandb"],
        f"my.yaml: watch.trackers: Input should be a valid list (found 'wandb'){MEND}",
    ),
    # a model that cannot learn, one without tokens, one without positions
    (
        ["my.yaml", "--set", "model.quantization={}", "--set", "adapter=null"],
        "my.yaml: a model in 4 bits cannot learn by itself: give `adapter`, or take model.quantization out" + MEND,
    ),
    (
        ["small.yaml", "--set", "tokenizer.train=null"],
        f"small.yaml: a new model needs a tokenizer: give tokenizer.train or tokenizer.path{MEND}",
    ),
    (
        ["small.yaml", "--set", "max_length=65"],
        f"small.yaml: max_length is over model.scratch.max_positions{MEND}",
    ),
    # --- options
    (
        ["my.yaml", "--stop-after", "soon"],
        "Invalid value for '--stop-after': 'soon' is not a valid float range; see hanpuri train --help",
    ),
    (
        ["my.yaml", "--device", "cudda"],
        "the device is 'cudda', expected cuda, cuda:1 and so on, or cpu; take the device cpu",
    ),
    # --- the machine
    (
        ["my.yaml", "--set", "model.precision=fp16"],
        "model.precision is fp16, which trains on a GPU alone, and the device is cpu; take fp32",
    ),
    (
        ["my.yaml", "--set", "training.optimizer=paged_adamw_8bit"],
        "training.optimizer paged_adamw_8bit moves memory between GPU and CPU, and the device is cpu; take adamw_8bit",
    ),
    (
        ["my.yaml", "--set", "model.attention=flash_attention_2"],
        "model.attention flash_attention_2 runs on a GPU alone, and the device is cpu; take sdpa",
    ),
    # --- the model, its tokenizer, its adapter
    (
        ["my.yaml", "--set", "model.path=models/tniy"],
        "models/tniy: found no such folder, nor a downloaded model of that name"
        "; did you mean models/tiny? or download it first: hf download models/tniy",
    ),
    # a recipe that goes on with another's model
    (
        ["my.yaml", "--set", "model.path=runs/cpu-tiny"],
        "runs/cpu-tiny: found no such folder; train it first: hanpuri train cpu-tiny",
    ),
    (
        ["my.yaml", "--set", "model.path=my.yaml"],
        "my.yaml: found a file, expected a model's folder; give the folder: .",
    ),
    (
        ["my.yaml", "--set", "model.path=models"],
        "models: found no config.json in this folder; give the folder of a model",
    ),
    (
        ["my.yaml", "--set", "model.path=models/cut"],
        "{desk}/models/cut/model.safetensors: found {cut} bytes, expected {whole}: the file is cut short"
        "; download or save it again",
    ),
    (
        ["my.yaml", "--set", "model.path=models/more"],
        "the tokenizer more has 950 tokens, and the model embeddings for 900"
        "; take the tokenizer of this model, or extend the model's own: tokenizer.extend",
    ),
    (
        ["my.yaml", "--set", "model.path=models/ends"],
        "the tokenizer ends ends texts with token 2, and the model with 7"
        "; take the tokenizer of this model, or correct eos_token_id in its config.json",
    ),
    (
        ["my.yaml", "--set", "adapter.path=adapters/other"],
        "{desk}/adapters/other: found an adapter for {shelf}/models/other, expected one for {desk}/models/tiny"
        "; give model.path: {shelf}/models/other, or if it was only moved, correct base_model_name_or_path in its"
        " adapter_config.json",
    ),
    (
        ["my.yaml", "--set", "adapter.path=adapters"],
        "adapters: found no adapter_config.json in this folder; give the folder of an adapter",
    ),
    (
        ["my.yaml", "--set", "model.path=adapters/other"],
        "adapters/other: found an adapter, expected a whole model; give its base as model.path and go on with"
        " adapter.path: adapters/other, or merge it first: hanpuri publish",
    ),
    (
        ["my.yaml", "--set", "adapter.target_modules=[q_prj]"],
        "adapter.target_modules: found no linear module q_prj in the model; did you mean q_proj?",
    ),
    (
        ["small.yaml", "--set", "tokenizer={path: models/none}"],
        "models/none: found no such folder or file, nor a downloaded model of that name"
        "; check the path, or download the model first: hf download models/none",
    ),
    # --- template and rows
    (
        ["my.yaml", "--set", "examples.template=koalpaka"],
        "no template is called 'koalpaka'; there are alpaca-en, alpaca-ko, koalpaca, plain, restoration-en,"
        " restoration, chat; did you mean koalpaca?",
    ),
    (
        ["my.yaml", "--set", "examples.template=chat"],
        "the tokenizer tiny has no chat template, expected one"
        "; take a template file, or the tokenizer of the instruction-tuned model",
    ),
    (
        ["my.yaml", "--set", "data.path=faqs.jsonl"],
        "faqs.jsonl: found no such file; did you mean faq.jsonl?",
    ),
    (
        ["my.yaml", "--set", "data.path=models"],
        "models: found no train.parquet in this folder, expected a prepared set"
        "; make one with `hanpuri prepare`, or give a file",
    ),
    (
        ["my.yaml", "--set", "data.path=nothing"],
        "nothing: found no rows in train.parquet, expected some"
        "; see its report.html for the step that took them, and prepare it again",
    ),
    (
        ["my.yaml", "--set", "examples.max_length=50", "--set", "data.rows=3"],
        "faq.jsonl:24: found 51 tokens, expected at most 50"
        "; raise examples.max_length, or say too_long: drop or truncate",
    ),
    (
        ["small.yaml", "--set", "data.corpora.0.path=corpus.tx"],
        "corpus.tx: found no such file; did you mean corpus.txt?",
    ),
    # --- where runs go
    (
        ["my.yaml", "--runs", "my.yaml"],
        "my.yaml/faq cannot be written: Not a directory; give another place for runs",
    ),
]


@pytest.mark.parametrize(("arguments", "error"), REFUSED, ids=[" ".join(arguments) for arguments, _ in REFUSED])
def test_what_cannot_be_trained_is_said_in_one_line_before_the_long_part(
    call, desk, shelf, nothing_long, arguments, error
):
    sizes = {name: (desk / "models" / name / "model.safetensors").stat().st_size for name in ("cut", "tiny")}
    told = error.replace("{desk}", str(desk)).replace("{shelf}", str(shelf))
    told = told.replace("{cut}", f"{sizes['cut']:,}").replace("{whole}", f"{sizes['tiny']:,}")
    done = call("train", *arguments)
    assert (done.code, done.out, done.err) == (2, "", f"hanpuri: {told}\n")
    assert runs_of(desk) == []


@pytest.mark.parametrize(
    ("library", "override", "error"),
    [
        (
            "bitsandbytes",
            "model.quantization={}",
            "model.quantization needs the library bitsandbytes, which is not installed"
            '; install it: pip install "hanpuri[llm]"',
        ),
        (
            "trackio",
            "watch.trackers=[trackio]",
            "watch.trackers trackio needs the library trackio, which is not installed"
            "; pip install trackio, or take it out",
        ),
        ("trl", "seed=1", 'training a language model needs trl; pip install "hanpuri[llm]"'),
    ],
)
def test_a_library_that_is_missing_is_named(call, desk, nothing_long, monkeypatch, library, override, error):
    monkeypatch.setitem(sys.modules, library, None)
    done = call("train", "my.yaml", "--set", override)
    assert (done.code, done.out, done.err, runs_of(desk)) == (2, "", f"hanpuri: {error}\n", [])


def test_bf16_on_a_gpu_without_it_is_refused(call, desk, nothing_long, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    done = call("train", "my.yaml", "--device", "cuda", "--set", "model.precision=bf16")
    told = "hanpuri: model.precision is bf16, which this GPU does not compute in; take fp16\n"
    assert (done.code, done.out, done.err, runs_of(desk)) == (2, "", told, [])


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_disk_too_small_for_the_checkpoints_is_said_before_the_long_part(call, desk, nothing_long, monkeypatch, dry):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Disk(0, 0, 20_000))
    done = call("train", "my.yaml", *dry)
    assert (done.code, done.out, runs_of(desk)) == (2, "", [])
    assert done.err == (
        "hanpuri: runs/faq: the checkpoints and the result take 0.2 MiB (0.1 MiB each), and the disk has 0.0 MiB left"
        "; make room, or watch.keep=1\n"
    )


def test_a_disk_too_small_for_a_new_model_is_said_before_its_corpus_is_encoded(call, desk, monkeypatch):
    monkeypatch.setattr("hanpuri.training.assembling.corpora.make_training_blocks", None)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Disk(0, 0, 20_000))
    done = call("train", "small.yaml")
    assert (done.code, done.out, runs_of(desk)) == (2, "", [])
    assert done.err.splitlines()[-1].startswith("hanpuri: runs/small: the checkpoints and the result take")


# What is refused by the rows themselves, or by the pre-flight, when the model is loaded.
LATER = [
    (
        ["data.validation_share=0", "watch.generation={rows: 2}", "watch.best_by=token_f1"],
        "watch.best_by token_f1 needs rows to watch by, and there are none; give data.validation, or take it out",
    ),
    (
        ["examples.max_length=512", "data.path=long.jsonl"],
        "the longest row has {longest} tokens, and the model 128 positions"
        "; lower max_length, or set model.rope_scaling",
    ),
]


@pytest.mark.parametrize(("overrides", "error"), LATER)
def test_a_run_that_the_pre_flight_refuses_leaves_nothing_and_its_mended_recipe_is_taken(call, desk, overrides, error):
    sets = [part for override in overrides for part in ("--set", override)]
    done = call("train", "my.yaml", *sets)
    longest = done.err.partition("row has ")[2].partition(" ")[0]
    assert (done.code, done.out, done.err) == (2, "", f"hanpuri: {error.replace('{longest}', longest)}\n")
    assert runs_of(desk) == []


def test_a_tokenizer_that_cannot_be_trained_leaves_nothing(call, desk):
    done = call("train", "small.yaml", "--set", "tokenizer.train.vocab_size=100000")
    assert (done.code, done.out, runs_of(desk)) == (2, "", [])
    assert done.err.endswith("; give more text, or lower tokenizer.train.vocab_size\n")


def test_a_dry_run_prints_the_pre_flight_and_leaves_nothing(call, desk):
    done = call("train", "my.yaml", "--dry-run", "--json")
    rows = json.loads(done.out)["rows"]
    assert (done.code, done.err, len(rows)) == (0, "", 5)
    assert all("⟦" in row["text"] for row in rows)
    assert not (desk / "runs").exists()


# What changed since a run began, and how it is named.
CHANGED = [
    (
        lambda desk: None,
        ["--set", "training.steps=9", "--set", "adapter.r=8"],
        "runs/faq holds a run of another recipe: adapter.r 4 → 8, training.steps 2 → 9" + LIKENESS,
    ),
    (
        lambda desk: (desk / "faq.jsonl").write_text('{"instruction": "네?", "output": "네."}\n' * 9, "utf-8"),
        [],
        "runs/faq holds a run on other data: faq.jsonl changed since" + LIKENESS,
    ),
    (
        lambda desk: change(desk / "models" / "tiny" / "tokenizer.json"),  # the same, in other bytes
        [],
        "runs/faq holds a run with another tokenizer" + LIKENESS,
    ),
    (
        lambda desk: change(desk / "models" / "tiny" / "config.json", rope_theta=5.0),
        [],
        "runs/faq holds a run with another base" + LIKENESS,
    ),
]


@pytest.mark.parametrize(("mend", "overrides", "error"), CHANGED, ids=["recipe", "data", "tokenizer", "base"])
def test_what_changed_since_a_run_began_is_named(call, desk, finished, nothing_long, mend, overrides, error):
    shutil.copytree(finished / "runs", desk / "runs")
    mend(desk)
    done = call("train", "my.yaml", "--set", "training.steps=2", *overrides)
    assert (done.code, done.out, done.err) == (2, "", f"hanpuri: {error}\n")


def test_a_template_that_changed_since_a_run_began_is_named(call, desk):
    given = ["--set", "examples.template=mine.yaml", "--stop-after", "0"]
    assert call("train", "my.yaml", *given).out == "stopped at step 1; the same command goes on from there\n"
    (desk / "mine.yaml").write_text("prompt_no_input: '질문: {instruction}\n답:'\n", "utf-8")
    done = call("train", "my.yaml", *given)
    assert (done.code, done.err) == (2, "hanpuri: runs/faq holds a run with another template" + LIKENESS + "\n")


def test_a_finished_run_is_told_again_without_training(call, desk, finished, nothing_long):
    shutil.copytree(finished / "runs", desk / "runs")
    command = "train", "my.yaml", "--set", "training.steps=2"
    done = call(*command, "--set", "watch.keep=5")
    result = json.loads(call(*command, "--json").out)
    assert (done.code, done.err, result["finished"], result["folder"]) == (0, "", True, "runs/faq")
    lines = done.out.splitlines()
    assert lines[0].startswith(f"loss {result['scores']['loss']:.4f}  token_accuracy ")
    assert " at step 2, the best of 2, in " in lines[0]
    assert lines[1] == "runs/faq/adapter is ready: hanpuri chat runs/faq"


def test_a_finished_run_that_nothing_was_held_out_for_says_so(call, desk, finished, nothing_long):
    shutil.copytree(finished / "runs", desk / "runs")
    place = desk / "runs" / "faq" / "result.json"
    place.write_text(json.dumps({**json.loads(place.read_bytes()), "best_step": None, "scores": {}}), "utf-8")
    done = call("train", "my.yaml", "--set", "training.steps=2")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("2 steps, none of them scored, in ")


def test_a_run_that_somebody_is_at_work_on_is_refused(call, desk, finished, nothing_long):
    from hanpuri.runs.folder import Run, _Hold

    shutil.copytree(finished / "runs", desk / "runs")
    run = Run(desk / "runs" / "faq", _Hold(desk / "runs" / "faq"))
    done = call("train", "my.yaml", "--set", "training.steps=2")
    run.let_go()
    told = "hanpuri: runs/faq: another process is at work on this run; wait for it, or stop it\n"
    assert (done.code, done.out, done.err) == (2, "", told)


def test_a_run_is_stopped_by_ctrl_c_and_by_the_clock_and_the_same_command_goes_on(call, desk, monkeypatch):
    from hanpuri.training.loop.watching import Watch

    tick = Watch.tick

    def interrupt(watch: Watch, step: int) -> None:
        tick(watch, step)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Watch, "tick", interrupt)
        stopped = call("train", "my.yaml")
    assert (stopped.code, stopped.out) == (130, "")
    assert stopped.err.splitlines()[-2:] == ["the same command goes on from here", "hanpuri: stopped"]
    assert call("train", "my.yaml", "--stop-after", "0", "--json").out.startswith('{"folder": "runs/faq"')
    done = call("train", "my.yaml")
    assert (done.code, done.out.splitlines()[-1]) == (0, "runs/faq/adapter is ready: hanpuri chat runs/faq")
    steps = [json.loads(line).get("step") for line in (desk / "runs/faq/metrics.jsonl").read_text("utf-8").splitlines()]
    assert steps == sorted(steps)


def test_a_disk_that_fills_up_costs_checkpoints_and_not_the_run(call, desk, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("hanpuri.training.loop.checkpoints.lacking_bytes", lambda folder, needed: 5_000)
        done = call("train", "my.yaml")
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    told = "step 2 was not saved: the disk lacks 5,000 bytes; training goes on, the next save tries again"
    assert f"warning: step 2: {told}" in lines
    assert lines[-1].startswith("hanpuri: runs/faq/checkpoints: the last step could not be saved: the disk lacks 5,000")
    assert call("train", "my.yaml").out.endswith("hanpuri chat runs/faq\n")


def test_a_disk_without_room_for_the_result_is_said_in_one_line(call, desk, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("hanpuri.training.train.save_prompting", fail)
        done = call("train", "my.yaml")
    told = "hanpuri: runs/faq cannot be written: No space left on device; make room; the same command then goes on"
    assert (done.code, done.out, done.err.splitlines()[-1]) == (2, "", told)
    assert call("train", "my.yaml").out.endswith("hanpuri chat runs/faq\n")


# --- the happy road, whole, in a process for which there is no network

OFFLINE = """
import gc, json, os, socket, sys

gc.disable()  # each run would go through all that the libraries hold
dialled = []
def refuse(*where, **_):
    dialled.append(repr(where[-1]))
    raise OSError(101, "Network is unreachable")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.gethostbyname = refuse

from hanpuri.cli import main

for number, arguments in enumerate(json.loads(sys.argv[1])):
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{number}.{name}", os.O_WRONLY | os.O_CREAT), descriptor)
    sys.argv = ["hanpuri", *arguments]
    try:
        main()
    except SystemExit as ended:
        code = ended.code or 0
    sys.stdout.flush()
    with open("told.jsonl", "a") as file:
        print(json.dumps({"code": code, "dialled": dialled}), file=file)
"""
ANSWERS = "watch.generation={rows: 2, max_new_tokens: 4}"
ROAD = [
    ["train", "my.yaml", "--set", ANSWERS, "--set", "watch.best_by=char_accuracy"],
    ["train", "my.yaml", "--set", "name=whole", "--set", "adapter=null", "--set", "training.steps=1", "--json"],
    ["runs"],
    ["runs", "show", "faq", "--json"],
    ["runs", "compare", "faq", "whole", "--markdown"],
    ["ask", "방이 넓은가요?", "--model", "runs/faq", "--max-new-tokens", "8"],
    ["publish", "runs/faq", "--to", "published"],
    ["ask", "방이 넓은가요?", "--model", "published", "--max-new-tokens", "8"],
]


def test_the_whole_road_works_without_a_network_dials_nobody_and_says_nothing_but_its_own(desk):
    (desk / "road.py").write_text(OFFLINE, "utf-8")
    told = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_", "CI"))}
    told |= {"PYTHONPATH": str(Path(__file__).parents[2]), "HF_HOME": str(desk / "hf")}
    subprocess.run([sys.executable, "road.py", json.dumps(ROAD)], cwd=desk, env=told, check=True, timeout=400)
    ends = [json.loads(line) for line in (desk / "told.jsonl").read_text("utf-8").splitlines()]
    out, err = (
        [(desk / f"{number}.{name}").read_text("utf-8") for number in range(len(ROAD))] for name in ("out", "err")
    )
    assert ends == [{"code": 0, "dialled": []}] * len(ROAD), "".join(err)
    # A result is all that a pipe gets.
    assert out[0].splitlines()[-1] == "runs/faq/adapter is ready: hanpuri chat runs/faq"
    assert json.loads(out[1])["method"] == "full"
    assert {line.split()[0] for line in out[2].splitlines()} == {"run", "faq", "whole"}
    assert json.loads(out[3])["method"] == "lora"
    assert out[4].startswith("| run ")
    # The published model answers as the adapter does.
    assert out[5] == out[7]
    assert (err[5], err[7]) == ("", "")
    assert out[6].splitlines()[-1] == "published to published"
    assert [line for line in err[6].splitlines() if not line.startswith("hanpuri: ")] == []
    # Of the training: the pre-flight, then steps and events.
    steps = err[0][err[0].index("time: ") :].splitlines()[1:]
    assert {line.partition(":")[0].partition("/")[0] for line in steps} == {f"step {step}" for step in range(5)}
