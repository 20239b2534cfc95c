"""
The grid of restoration: one run, and others that are each one change away from it.

In: nothing. Out: a tuple of ways, such as

    Way("lora", "LoRA of rank 64", sets=("adapter={r: 64, …}", …))      is trained with these keys
    Way("sampled", "temperature 0.7", of="base", temperature=0.7)       asks the model of another way

The whole product of all choices would be some three hundred runs. One change at a time tells what each is worth beside
the base, and not how two of them act together.
"""

from typing import NamedTuple

BASE, TEXTS, AGAIN = "base", "texts", "texts-again"
RECIPE = "korean-llama-restoration"
PAIRS = "prepared/korean-llama-pairs"
"""A noisy version of each of ten times as many texts: what the recipe learns from."""
FEW = f"{PAIRS}-x3"
"""Three noisy versions of each of few texts: what the base of the grid learns from."""


class Way(NamedTuple):
    """One row of the table."""

    name: str
    differs: str
    """In what it differs from the base, for the table."""
    sets: tuple[str, ...] = ()
    """Keys of the recipe."""
    recipe: str = RECIPE
    of: str = ""
    """Whose model is asked, where none is trained."""
    begins: str = ""
    """From whose model it begins, in the place of the pre-trained one."""
    engine: str = "transformers"
    options: str = ""
    """Of the engine, such as ",aligned=syllables"."""
    temperature: float = 0.0
    make: tuple[tuple[str, ...], ...] = ()
    """What is made before it, as commands of hanpuri; {run} is the folder of `begins`, {made} what the last one writes,
    {first} the pre-trained model."""
    minutes: float = 1.0
    """Foretold, on one H200: training, and answers to the three sets."""


LORA = "adapter={r: 64, alpha: 128, dropout: 0.05}"
ASK = ("--engine", "transformers:{run}")
REWARD = (
    *("train", "reward-tiny", "--set", "name=restoring-reward", "--set", "model.path={first}", "--set"),
    *("data={path: {runs}/made-reward.jsonl, validation_share: 0.05}", "--set", "training.steps=300", "--set"),
    *("training.learning_rate=5.0e-5", "--set", "training.batch_size=16", "--set", "training.accumulation=2"),
    *("--set", "examples.max_length=1024", "--set", "examples.faults=drop", "--runs", "{runs}"),
)
ON_FEW = f"data.path={FEW}"
DPO = ("training.learning_rate=1.0e-6", "training.epochs=null", "training.steps=150", "examples.max_length=1024")
GRPO = (
    *("training.steps=60", "training.batch_size=64", "training.accumulation=4", "sampling.temperature=0.5"),
    *("examples.max_length=300", "sampling.max_new_tokens=150", "training.learning_rate=3.0e-6"),
    *("watch.generation.max_new_tokens=150", "watch.generation.rows=128"),
)
ON_SAMPLES = ("training.learning_rate=5.0e-5", "training.epochs=1", "data.path={made}", "data.form=pairs")


def mistakes(pairs: str, out: str = "{made}") -> tuple[str, ...]:
    """Write the command that keeps what a model gets wrong of some pairs."""
    return ("prefer", "mistakes", f"{pairs}/train.parquet", "--rows", "3000", *ASK, "--out", out)


def samples(pairs: str, name: str, score: str = "char_accuracy") -> tuple[str, ...]:
    """Write the command that keeps the best of five answers to some pairs."""
    drawn = ("--samples", "4", "--temperature", "0.5", "--score", score)
    kept = ("--out", f"{{runs}}/made-{name}-all.jsonl", "--best", "{made}")
    return ("sample", f"{pairs}/train.parquet", "--rows", "1500", *ASK, *drawn, *kept)


WAYS = (
    Way(BASE, "all weights, ×3, 2 epochs, plain, greedy", (ON_FEW,), minutes=2.0),
    Way("lora", "LoRA of rank 64", (ON_FEW, LORA, "training.learning_rate=1.0e-3"), minutes=2.0),
    Way(
        "qlora",
        "QLoRA of rank 64 on 4 bits",
        (ON_FEW, LORA, "training.learning_rate=1.0e-3", "model.quantization={}"),
        options=",four_bit=true",
        minutes=3.0,
    ),
    Way("x1", "×1: one noisy version", (f"data.path={PAIRS}-x1",), minutes=1.5),
    Way("x5", "×5: five noisy versions", (f"data.path={PAIRS}-x5",), minutes=2.5),
    Way(TEXTS, "×1 of ten times as many texts", minutes=5.0),
    Way(AGAIN, "the same once more, on an H100", minutes=5.0),
    Way(
        "texts-aligned",
        "the last one, given in pieces, and held to what the noise can come from",
        of=AGAIN,
        options=",pieces=100,aligned=airbnb",
        minutes=3.0,
    ),
    Way("epochs-1", "1 epoch", (ON_FEW, "training.epochs=1"), minutes=1.7),
    Way("epochs-3", "3 epochs", (ON_FEW, "training.epochs=3"), minutes=2.3),
    Way("epochs-7", "7 epochs: as many steps as `texts`", (ON_FEW, "training.epochs=7"), minutes=5.0),
    Way(
        "alpaca",
        "Alpaca's form, with an instruction",
        (ON_FEW, "examples.template=restoration", "examples.max_length=1200"),
        minutes=2.5,
    ),
    Way("sampled", "drawn at temperature 0.7", of=BASE, temperature=0.7),
    Way("aligned", "held to one syllable a syllable", of=BASE, options=",aligned=syllables", minutes=3.0),
    Way("aligned-airbnb", "held to what the noise can come from", of=BASE, options=",aligned=airbnb", minutes=3.0),
    Way("pieces", "given in pieces of at most 100 characters", of=BASE, options=",pieces=100"),
    Way(
        "pieces-aligned",
        "given in such pieces, and held to what the noise can come from",
        of=BASE,
        options=",pieces=100,aligned=airbnb",
        minutes=3.0,
    ),
    Way("vllm", "vLLM in place of transformers", of=BASE, engine="vllm", minutes=3.0),
    Way(
        "dpo",
        "DPO on its own mistakes, behind the base",
        DPO,
        recipe="restoration-dpo",
        begins=BASE,
        make=(mistakes(FEW),),
        minutes=4.0,
    ),
    Way(
        "grpo",
        "GRPO, rewarded by right syllables, behind the base",
        (*GRPO, ON_FEW),
        recipe="restoration-grpo",
        begins=BASE,
        minutes=6.0,
    ),
    Way(
        "samples",
        "fine-tuned on the best of its five answers, by right syllables",
        ON_SAMPLES,
        begins=BASE,
        make=(samples(FEW, "samples"),),
        minutes=4.0,
    ),
    Way(
        "rewarded",
        "the same, by a reward model that learnt from its mistakes",
        ON_SAMPLES,
        begins=BASE,
        make=(
            mistakes(FEW, "{runs}/made-reward.jsonl"),
            REWARD,
            samples(FEW, "rewarded", "model:{runs}/restoring-reward"),
        ),
        minutes=6.0,
    ),
    Way(
        "rounds",
        "three rounds of samples, fine-tuning and DPO, behind the base",
        (f"prompts.path={FEW}", f"held_out.path={FEW}"),
        recipe="korean-llama-rounds",
        begins=BASE,
        minutes=9.0,
    ),
    Way(
        "dpo-unseen",
        "DPO, on texts that the base has not seen",
        DPO,
        recipe="restoration-dpo",
        begins=BASE,
        make=(mistakes(PAIRS),),
        minutes=4.0,
    ),
    Way(
        "grpo-unseen",
        "GRPO, on texts that the base has not seen",
        (*GRPO, f"data.path={PAIRS}"),
        recipe="restoration-grpo",
        begins=BASE,
        minutes=6.0,
    ),
    Way(
        "samples-unseen",
        "fine-tuned on the best of five answers, on texts that the base has not seen",
        ON_SAMPLES,
        begins=BASE,
        make=(samples(PAIRS, "samples-unseen"),),
        minutes=4.0,
    ),
)


def find_way(name: str) -> Way:
    """
    Find a way by its name.

    >>> find_way("lora").differs
    'LoRA of rank 64'

    Raises:
        KeyError: if there is none.
    """
    return {way.name: way for way in WAYS}[name]
