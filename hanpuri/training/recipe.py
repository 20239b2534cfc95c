"""
The recipes of LLM training (`kind: pretrain` and `kind: sft`): one class a section, one sentence a field.

In: `model: {path: models/qwen3-0.6b}`, `adapter: {r: 16}`, … in a file. Out: a PretrainRecipe or SftRecipe, frozen.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from hanpuri.data.recipe import ExampleSettings, Form
from hanpuri.recipe import FolderName, Settings

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Architecture = Literal["llama", "qwen3", "gemma", "gemma2", "gemma3", "gpt-neox"]
Measure = Literal["char_accuracy", "exact_match", "token_f1"]
ALL_LINEAR = "all-linear"


class RopeScalingSettings(Settings):
    """How positions beyond those that a model has seen are told apart."""

    type: Literal["linear", "dynamic", "yarn", "llama3"] = Field(description="As transformers names them.")
    factor: float = Field(gt=1, description="How many times longer texts may be than before.")
    original_max_position_embeddings: int | None = Field(
        default=None, ge=1, description="Positions before scaling; the model's own, if not given."
    )
    low_freq_factor: float = Field(default=1.0, gt=0, description="Of llama3: slow turns from here on are scaled.")
    high_freq_factor: float = Field(default=4.0, gt=0, description="Of llama3: fast turns from here on are left alone.")
    beta_fast: float = Field(default=32.0, gt=0, description="Of yarn: dimensions that turn more often are left alone.")
    beta_slow: float = Field(default=1.0, gt=0, description="Of yarn: dimensions that turn less often are scaled.")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.type == "llama3" and self.low_freq_factor >= self.high_freq_factor:
            raise ValueError("low_freq_factor has to be under high_freq_factor")
        if self.type == "yarn" and self.beta_slow >= self.beta_fast:
            raise ValueError("beta_slow has to be under beta_fast")
        return self


class ScratchSettings(Settings):
    """A model with random weights, to be pre-trained from the first step on."""

    architecture: Architecture = Field(default="llama", description="Which family's network.")
    hidden_size: int = Field(ge=8, description="Numbers that describe one token, all through the network.")
    num_layers: int = Field(ge=1, description="Blocks, one after the other.")
    num_heads: int = Field(ge=1, description="Attention heads of a block.")
    num_key_value_heads: int | None = Field(
        default=None,
        ge=1,
        description="Grouped-query attention: heads that keys and values have; num_heads, if not given.",
    )
    intermediate_size: int | None = Field(
        default=None,
        ge=8,
        description="Width of the feed-forward part; 8/3 of hidden_size (gpt-neox: 4 times), if not given.",
    )
    max_positions: int = Field(default=2048, ge=8, description="Longest text in tokens, before any RoPE scaling.")
    rope_theta: float = Field(default=10_000.0, gt=1, description="The base of the turning of positions (RoPE).")
    tie_embeddings: bool = Field(
        default=True, description="One matrix for reading and writing tokens: fewer parameters."
    )

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.hidden_size % self.num_heads:
            raise ValueError(f"hidden_size {self.hidden_size} is no multiple of num_heads {self.num_heads}")
        if self.hidden_size // self.num_heads % 2:
            raise ValueError("hidden_size / num_heads has to be even: positions turn pairs of numbers")
        groups = self.num_key_value_heads or self.num_heads
        if self.num_heads % groups:
            raise ValueError(f"num_heads {self.num_heads} is no multiple of num_key_value_heads {groups}")
        if self.architecture == "gpt-neox" and groups != self.num_heads:
            raise ValueError("gpt-neox has no grouped-query attention, leave num_key_value_heads out")
        return self


class QuantizationSettings(Settings):
    """The base model held in 4 bits while an adapter learns (QLoRA)."""

    type: Literal["nf4", "fp4"] = Field(default="nf4", description="The sixteen values that a weight may have.")
    double: bool = Field(default=True, description="Quantise the scales too: 0.4 bits fewer for each weight.")
    compute: Literal["bf16", "fp16", "fp32"] = Field(default="bf16", description="What weights are computed in.")


class ModelSettings(Settings):
    """The model to train: one that is there (`path`), or a new one (`scratch`)."""

    path: str | None = Field(
        default=None, description="A folder, a run's folder, or the name of a downloaded model of the hub."
    )
    scratch: ScratchSettings | None = Field(default=None, description="A new model in place of a path.")
    precision: Precision = Field(
        default="auto", description="What is computed in; auto: bf16 on a GPU that has it, else fp32."
    )
    weights: Precision = Field(
        default="auto", description="What weights are held in; auto: fp32 where they learn, else as computed."
    )
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = Field(
        default="auto", description="Which implementation of attention; auto leaves it to transformers."
    )
    rope_scaling: RopeScalingSettings | None = Field(default=None, description="Longer texts than the model has seen.")
    quantization: QuantizationSettings | None = Field(default=None, description="4 bits (QLoRA); null is none.")

    @model_validator(mode="after")
    def _check_origin(self) -> Self:
        if (self.path is None) == (self.scratch is None):
            raise ValueError("give either `path` or `scratch`")
        if self.scratch and self.quantization:
            raise ValueError("a new model has nothing to quantise, take quantization out")
        return self


class AdapterSettings(Settings):
    """LoRA: small matrices that learn beside the frozen ones."""

    r: int = Field(default=16, ge=1, description="Rank of the matrices.")
    alpha: float = Field(default=32, gt=0, description="Their weight; what they add is scaled by alpha / r.")
    dropout: float = Field(default=0.05, ge=0, lt=1, description="Share of their inputs left out at random.")
    target_modules: str | tuple[str, ...] = Field(
        default=ALL_LINEAR, description="all-linear, or names such as [q_proj, v_proj]."
    )
    modules_to_save: tuple[str, ...] = Field(
        default=(), description="Modules that learn whole, such as embed_tokens and lm_head after new tokens."
    )
    rslora: bool = Field(default=False, description="Scale by alpha / sqrt(r): steadier with a high rank.")
    dora: bool = Field(
        default=False, description="Learn size and direction apart: slower, somewhat better at low rank."
    )
    path: str | None = Field(default=None, description="Go on with this adapter, in place of a new one.")


class TrainTokenizerSettings(Settings):
    """A new tokenizer, trained on the recipe's corpora."""

    type: Literal["bpe", "unigram", "character"] = Field(
        default="bpe", description="How pieces are chosen; character: each is one character."
    )
    vocab_size: int = Field(ge=300, description="Tokens in all, special ones and 256 bytes included.")
    characters: int = Field(default=20_000_000, ge=1, description="Text to train it on, dealt out by the weights.")
    min_frequency: int = Field(default=2, ge=1, description="How often a piece must occur (bpe).")


class ExtendTokenizerSettings(Settings):
    """New tokens for a tokenizer that is there; their embeddings start as the mean of their parts'."""

    tokens: tuple[str, ...] = Field(default=(), description="Tokens to add as they are.")
    count: int = Field(default=0, ge=0, description="Add so many more: words of the corpora that save the most tokens.")
    min_frequency: int = Field(default=100, ge=1, description="How often such a word must occur.")

    @model_validator(mode="after")
    def _check_some(self) -> Self:
        if not self.tokens and not self.count:
            raise ValueError("give `tokens`, or a `count` of tokens to find")
        return self


class TokenizerSettings(Settings):
    """Where the tokenizer comes from; the model's own, if nothing is given."""

    path: str | None = Field(default=None, description="A folder with a tokenizer, for a new model.")
    train: TrainTokenizerSettings | None = Field(default=None, description="Train one, for a new model.")
    extend: ExtendTokenizerSettings | None = Field(default=None, description="Add tokens to the model's own.")

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if sum(choice is not None for choice in (self.path, self.train, self.extend)) > 1:
            raise ValueError("give one of `path`, `train` and `extend`")
        return self


class CorpusSettings(Settings):
    """One corpus among those that are mixed."""

    path: Path = Field(
        description="A file (text, CSV, TSV, JSONL, Parquet; .gz, .xz), or a folder that `prepare` made."
    )
    weight: float = Field(default=1.0, gt=0, description="Its share of the training tokens, beside the others.")
    field: str | None = Field(default=None, description="The field or column that holds the text.")
    rows: int | None = Field(default=None, ge=1, description="Read only so many rows, from the first one on.")


class CorporaSettings(Settings):
    """What a model is pre-trained on."""

    corpora: tuple[CorpusSettings, ...] = Field(min_length=1, description="The corpora to mix.")
    validation: float = Field(
        default=0.005,
        ge=0,
        lt=0.5,
        description="Share of the documents held out, where a corpus has no validation split.",
    )
    validation_documents: int = Field(default=2000, ge=1, description="Of all corpora together, at most so many.")


class RowsSettings(Settings):
    """What a model is fine-tuned on."""

    path: Path = Field(description="A folder that `prepare` made, or a file with the fields of a form.")
    validation: Path | None = Field(default=None, description="A file to watch by; a prepared folder has its own.")
    validation_share: float = Field(
        default=0.02, ge=0, lt=0.5, description="Share of a single file's rows held out where no other file is given."
    )
    form: Form | None = Field(default=None, description="What a row is, where its fields do not tell.")
    fields: dict[str, str] = Field(default={}, description="Our field: their column.")
    rows: int | None = Field(default=None, ge=1, description="Train on so many rows only, drawn by the seed.")


class OptimizationSettings(Settings):
    """How long and how fast to learn."""

    epochs: float | None = Field(default=None, gt=0, description="Passes over the data; or give `steps`.")
    steps: int | None = Field(default=None, ge=1, description="Optimizer steps in all; or give `epochs`.")
    batch_size: int = Field(default=8, ge=1, description="Examples (or blocks, packs) that one device takes at once.")
    accumulation: int = Field(default=1, ge=1, description="Such batches that one step adds up.")
    learning_rate: float = Field(gt=0, description="The peak; 2e-4 for LoRA and 1e-5 for full tuning are usual.")
    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup", "cosine_with_min_lr", "inverse_sqrt"] = (
        Field(default="cosine", description="How the rate falls after its warm-up, which constant does not have.")
    )
    warmup: float = Field(default=0.03, ge=0, description="Share of the steps over which it rises; from 1 on, steps.")
    optimizer: Literal[
        "adamw_torch", "adamw_torch_fused", "adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit", "adafactor"
    ] = Field(default="adamw_torch", description="The variants with 8bit and paged need bitsandbytes.")
    weight_decay: float = Field(default=0.0, ge=0, description="Pull of the matrices to zero.")
    beta2: float = Field(
        default=0.999, gt=0, lt=1, description="How long AdamW remembers squares; 0.95 in pre-training."
    )
    max_grad_norm: float = Field(default=1.0, gt=0, description="Longer gradients are shortened to this.")
    gradient_checkpointing: bool = Field(
        default=False, description="Compute activations twice, and keep a few of them."
    )

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either `epochs` or `steps`")
        return self


class GenerationSettings(Settings):
    """Answers that are written and scored at each evaluation."""

    rows: int = Field(default=64, ge=1, description="Validation rows to answer, the same ones each time.")
    max_new_tokens: int = Field(default=256, ge=1, description="Tokens of an answer at most.")
    batch_size: int = Field(default=16, ge=1, description="Answers written at once.")
    measures: tuple[Measure, ...] = Field(
        default=("char_accuracy", "exact_match", "token_f1"), min_length=1, description="What to score them by."
    )


class EarlyStoppingSettings(Settings):
    """When to stop before the end."""

    patience: int = Field(default=3, ge=1, description="Evaluations in a row without a better score (`watch.best_by`).")
    min_gain: float = Field(default=0.0, ge=0, description="What counts as better.")


class WatchSettings(Settings):
    """How often to look, by what to choose, whom to tell."""

    log_every: int = Field(default=10, ge=1, description="Steps between lines of metrics.jsonl.")
    evaluate_every: int = Field(default=200, ge=1, description="Steps between looks at the validation rows.")
    save_every: int | None = Field(
        default=None, ge=1, description="Steps between checkpoints; at each evaluation, if not given."
    )
    keep: int = Field(default=2, ge=1, description="Checkpoints kept, besides the best.")
    evaluation_rows: int | None = Field(
        default=500, ge=1, description="Validation rows of fine-tuning, for the loss; null takes all."
    )
    generation: GenerationSettings | None = Field(default=None, description="Answers to score; null writes none.")
    best_by: Literal["loss", "char_accuracy", "exact_match", "token_f1"] = Field(
        default="loss", description="The best checkpoint has the best of this; at the end it is the result."
    )
    early_stopping: EarlyStoppingSettings | None = Field(default=None, description="Null goes on to the end.")
    stop_on_overfitting: bool = Field(
        default=False, description="Stop when the validation loss rose twice in a row; it is said in any case."
    )
    trackers: tuple[Literal["wandb", "trackio", "tensorboard"], ...] = Field(
        default=(), description="Who else is told; wandb with WANDB_MODE=offline stays on this machine."
    )
    project: str = Field(default="hanpuri", description="What the trackers file the run under.")

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        if self.save_every and self.evaluate_every % self.save_every:
            raise ValueError(
                "evaluate_every has to be a multiple of save_every, so that the best step has a checkpoint"
            )
        if self.best_by != "loss" and (self.generation is None or self.best_by not in self.generation.measures):
            raise ValueError(f"best_by {self.best_by} needs `generation` with this measure")
        return self


class TrainRecipe(Settings):
    """What both kinds share."""

    kind: str
    name: FolderName = Field(description="The run's folder is runs/<name>.")
    seed: int = Field(default=0, ge=0, description="Decides new weights, the order of the data, dropout.")
    model: ModelSettings
    adapter: AdapterSettings | None = Field(default=None, description="LoRA; null trains all weights.")
    training: OptimizationSettings
    watch: WatchSettings = WatchSettings()

    @field_validator("adapter")
    @classmethod
    def _check_adapter(cls, adapter: AdapterSettings | None) -> AdapterSettings | None:
        if adapter and isinstance(adapter.target_modules, str) and adapter.target_modules != ALL_LINEAR:
            raise ValueError("target_modules is all-linear or a list of names")
        return adapter

    @model_validator(mode="after")
    def _check_quantized(self) -> Self:
        if self.model.quantization and not self.adapter:
            raise ValueError("a model in 4 bits cannot learn by itself: give `adapter`, or take model.quantization out")
        if self.model.scratch and self.adapter:
            raise ValueError("a new model has nothing that an adapter could build on: take `adapter` out")
        return self


class PretrainRecipe(TrainRecipe):
    """Next-token training on running text, from random weights or from a model that is there."""

    kind: Literal["pretrain"]
    tokenizer: TokenizerSettings = TokenizerSettings()
    data: CorporaSettings
    max_length: int = Field(default=1024, ge=8, description="Tokens in a block.")

    @model_validator(mode="after")
    def _check_tokenizer(self) -> Self:
        new = self.tokenizer.path or self.tokenizer.train
        if self.model.scratch and not new:
            raise ValueError("a new model needs a tokenizer: give tokenizer.train or tokenizer.path")
        if self.model.path and new:
            raise ValueError("a trained model keeps its tokenizer: tokenizer.extend can add to it")
        if self.tokenizer.extend and self.adapter and self.adapter.path:
            raise ValueError("an adapter that goes on keeps its tokens: take tokenizer.extend or adapter.path out")
        if self.watch.generation:
            raise ValueError("pre-training has no questions to answer, take watch.generation out")
        if (
            self.model.scratch
            and self.model.rope_scaling is None
            and self.max_length > self.model.scratch.max_positions
        ):
            raise ValueError("max_length is over model.scratch.max_positions")
        return self


class SftRecipe(TrainRecipe):
    """Fine-tuning on questions and answers; the answers alone are learnt."""

    kind: Literal["sft"]
    data: RowsSettings
    examples: ExampleSettings = ExampleSettings()
    packing: bool = Field(default=False, description="Lay several rows into one sequence; none sees another.")

    @model_validator(mode="after")
    def _check_path(self) -> Self:
        if self.model.scratch:
            raise ValueError("fine-tuning begins with a model that is there: give model.path")
        if self.examples.tokenizers:
            raise ValueError("examples.tokenizers counts in `prepare`; here the model's own tokenizer is taken")
        return self


KINDS: dict[str, type[Settings]] = {"pretrain": PretrainRecipe, "sft": SftRecipe}
