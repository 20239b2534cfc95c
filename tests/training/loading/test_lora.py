"""
What PEFT is told of a new adapter, and names that a model does not have.

In: AdapterSettings and tiny models. Out: a LoraConfig, or one line with the mend.
"""

import pytest
from transformers import AutoConfig, AutoModelForCausalLM

from hanpuri.errors import RecipeError
from hanpuri.training.loading.adapters import attach_adapter
from hanpuri.training.loading.lora import make_lora
from hanpuri.training.loading.models import load_model
from hanpuri.training.loading.scratch import make_model
from hanpuri.training.recipe import AdapterSettings, ModelSettings, ScratchSettings


def model_of(folder):
    return load_model(ModelSettings(path=str(folder)), learns_whole=False, device="cpu")


def test_a_whole_number_stays_one(tiny_model):
    model = model_of(tiny_model("llama"))
    assert [repr(make_lora(model, AdapterSettings(alpha=alpha)).lora_alpha) for alpha in (32.0, 0.5)] == ["32", "0.5"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"target_modules": ("q_proj", "v_prj")},
            "adapter.target_modules: found no linear module v_prj in the model; did you mean v_proj?",
        ),
        # the name of another architecture's
        (
            {"target_modules": ("query_key_value",)},
            "adapter.target_modules: found no linear module query_key_value in the model; take all-linear, or some of "
            "embed_tokens, q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head",
        ),
        # there, but no matrix
        (
            {"target_modules": ("input_layernorm",)},
            "adapter.target_modules: found no linear module input_layernorm in the model; take all-linear, or some of "
            "embed_tokens, q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head",
        ),
        (
            {"modules_to_save": ("embed_token",)},
            "adapter.modules_to_save: found no module embed_token in the model; did you mean embed_tokens?",
        ),
        (
            {"modules_to_save": ("가나다",)},
            "adapter.modules_to_save: found no module 가나다 in the model; "
            "take the last part of a module's name, such as embed_tokens",
        ),
    ],
)
def test_a_module_that_the_model_does_not_have_is_refused(tiny_model, settings, message):
    with pytest.raises(RecipeError) as caught:
        make_lora(model_of(tiny_model("llama")), AdapterSettings(**settings))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("architecture", "settings", "message"),
    [
        (
            "gpt-neox",
            {"modules_to_save": ("embed_in",)},
            "the model reads and writes tokens with one matrix (embed_in), and PEFT would make it two; "
            "take embed_in out of adapter.modules_to_save, or train the whole model",
        ),
        # merged, what was learnt would be added for reading and once more for writing
        (
            "llama",
            {"target_modules": ("q_proj", "lm_head")},
            "the model reads and writes tokens with one matrix (embed_tokens), which cannot be adapted; take lm_head "
            "out of adapter.target_modules; to learn it whole, save it: adapter.modules_to_save: [embed_tokens]",
        ),
    ],
)
def test_a_shared_matrix_that_would_not_stay_one_is_refused(tokenizer_of, architecture, settings, message):
    sizes = ScratchSettings(architecture=architecture, hidden_size=16, num_layers=1, num_heads=2)
    with pytest.raises(RecipeError) as caught:
        make_lora(make_model(sizes, None, tokenizer_of(), 0), AdapterSettings(**settings))
    assert str(caught.value) == message


def test_an_output_layer_of_its_own_can_be_saved_and_not_adapted(tokenizer_of):
    # TRL reads its weights past the adapter, which would never learn
    sizes = ScratchSettings(hidden_size=16, num_layers=1, num_heads=2, tie_embeddings=False)
    with pytest.raises(RecipeError) as caught:
        make_lora(make_model(sizes, None, tokenizer_of(), 0), AdapterSettings(target_modules=("q_proj", "lm_head")))
    assert str(caught.value) == (
        "adapter.target_modules: lm_head writes the tokens, and can only learn as a whole; "
        "take it out, or save it: adapter.modules_to_save: [lm_head]"
    )


def test_of_a_model_that_sees_only_the_part_that_writes_is_adapted():
    text = {"vocab_size": 60, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "head_dim": 8}
    text |= {"num_attention_heads": 2, "num_key_value_heads": 1}
    sight = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    sight |= {"image_size": 28, "patch_size": 14}
    config = AutoConfig.for_model("gemma3", text_config=text, vision_config=sight, mm_tokens_per_image=4)
    model = attach_adapter(AutoModelForCausalLM.from_config(config), AdapterSettings(), 0)
    learning = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert len(learning) == 2 * 7
    assert all(".language_model." in name for name in learning)
