"""
Which model is trained, how it is held, and what learns beside it.

In: `model: {path: models/qwen3-0.6b}`, `adapter: {r: 16}`. Out: ModelSettings and AdapterSettings, frozen.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from hanpuri.recipe import Settings

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Architecture = Literal["llama", "qwen3", "gemma", "gemma2", "gemma3", "gpt-neox"]
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
