"""
A run ─► a folder with the whole model in it, and the proof that it answers as the run's model did.

In: an Origin and an empty folder. Out: the folder, filled, and a Proof:

    model.safetensors config.json generation_config.json tokenizer.json tokenizer_config.json prompt_template.yaml

One model at a time is in memory. What the adapter on its base makes of the prompts is the reference; the merged model
is held against it, and then what any tool will read from the folder: the weights bit for bit, the tokens of the
prompts, the logits and the greedy texts.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hanpuri.data.chats import ChatTemplate
from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.errors import ModelError
from hanpuri.training.prompting import FILE, Prompting, load_prompting
from hanpuri.training.publishing.chat_template import ChatForm, make_chat_template
from hanpuri.training.publishing.merging import load_adapted, load_whole, merge, save_model
from hanpuri.training.publishing.origin import Origin
from hanpuri.training.publishing.parity import (
    Comparison,
    Observed,
    check_equal,
    check_weights_equal,
    compare,
    digest_weights,
    observe,
)
from hanpuri.training.publishing.prompts import Prompt, ask, choose_prompts
from hanpuri.training.recipe import PretrainRecipe

Report = Callable[[str], None]
MAX_NEW_TOKENS = 256


@dataclass(frozen=True)
class Asked:
    """How the run's model is asked, and what it is asked for the proof."""

    tokenizer: Tokenizer
    prompting: Prompting
    prompts: tuple[Prompt, ...]


@dataclass(frozen=True)
class Proof:
    """What was compared, and how it came out; the reference is the model as it was trained."""

    precision: str
    device: str
    reference: str
    """What that was: the adapter on its base, or the whole model of the run."""
    merged: Comparison | None
    """The merged model in memory; None where there was nothing to merge."""
    exported: Comparison
    """The folder, loaded by transformers."""
    effect: Comparison | None
    """The base without the adapter: how much the adapter changes at all."""
    quantized: Comparison | None
    """The adapter on the 4-bit base that it was trained on: what is lost or won by publishing it in more bits."""
    num_tensors: int
    """Tensors whose saved bits are those of the merged model."""
    questions: tuple[dict[str, Any], ...]
    """The prompts and the reference's greedy answers, so that anybody can ask the same."""
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Give what parity.json holds."""
        comparisons = ("merged", "exported", "effect", "quantized")
        figures = {name: one.as_dict() if (one := getattr(self, name)) else None for name in comparisons}
        return {**asdict(self), **figures}


@dataclass(frozen=True, eq=False)
class Built:
    """What `build_folder` made."""

    proof: Proof
    chat: ChatForm
    reference: Observed
    """What the trained model makes of the prompts: what a GGUF file is held against too."""


def prepare_questions(origin: Origin, max_tokens: int, file: Path | None = None) -> Asked:
    """
    Load the run's tokenizer and template, and choose the prompts.

    Raises:
        ModelError, RecipeError, DataError: if one of them is missing or damaged.
    """
    tokenizer = load_tokenizer(origin.weights)
    if not isinstance(origin.recipe, PretrainRecipe) and not (origin.weights / FILE).is_file():
        found = f"{origin.weights}: found no {FILE}, expected the template that the model was trained with"
        raise ModelError(found, "without it nobody can ask the model as it was trained: copy it from the run again")
    prompting = load_prompting(origin.weights, tokenizer)
    return Asked(tokenizer, prompting, choose_prompts(origin, tokenizer, prompting, max_tokens, file))


def build_folder(origin: Origin, asked: Asked, folder: Path, device: str, report: Report) -> Built:
    """
    Fill a folder with the model, and prove that it is the run's.

    Args:
        origin: the run.
        asked: of `prepare_questions`.
        folder: empty.
        device: what to compute on.
        report: told what is done.

    Raises:
        ModelError: if adapter and base do not fit, or what comes out does not answer as the trained model did.
    """
    stops = asked.prompting.stop_ids
    report("reading the model" + (" and its adapter" if origin.merges else ""))
    model = load_adapted(origin, device) if origin.merges else load_whole(origin.weights, device)
    reference = observe(model, asked.prompts, stops)
    merged, effect = None, None
    if origin.merges:
        with model.disable_adapter():
            effect = compare(reference, observe(model, asked.prompts, stops, reference))
        report("merging")
        model = merge(model)
        merged = compare(reference, observe(model, asked.prompts, stops, reference))
        check_equal(merged, "the merged model")
    report("writing the folder")
    digests, precision = digest_weights(model), str(model.dtype).removeprefix("torch.")
    model.generation_config = generation_settings(origin, asked)
    save_model(model, folder)
    del model
    chat = save_asking(origin, asked, folder)
    report("reading it back")
    exported = check_export(folder, digests, asked, reference, device)
    quantized, told = _measure_quantized(origin, asked, reference, device, report)
    notes = [*told, *_weak(effect)]
    questions = tuple(_question(asked, reference, place) for place in range(len(asked.prompts)))
    trained = "the adapter on its base" if origin.merges else "the run's model"
    proof = Proof(
        precision, device, trained, merged, exported, effect, quantized, len(digests), questions, tuple(notes)
    )
    return Built(proof, chat, reference)


def check_export(folder: Path, digests: dict[str, str], asked: Asked, reference: Observed, device: str) -> Comparison:
    """
    Read a folder back as any tool does, and hold it against the model that was trained.

    Raises:
        ModelError: if weights, tokens, logits or texts are others.
    """
    check_tokens(folder, asked)
    exported = load_whole(folder, device)
    check_weights_equal(digests, digest_weights(exported))
    comparison = compare(reference, observe(exported, asked.prompts, asked.prompting.stop_ids, reference))
    check_equal(comparison, "the exported folder")
    return comparison


def check_tokens(folder: Path, asked: Asked) -> None:
    """
    See that the folder's tokenizer and template make the same tokens of the prompts.

    Raises:
        ModelError: with the first prompt of which they make others.
    """
    tokenizer = load_tokenizer(folder)
    prompting = load_prompting(folder, tokenizer)
    for prompt in asked.prompts:
        again = ask(prompt.fields, prompt.id, tokenizer, prompting)
        if again.ids != prompt.ids:
            raise ModelError(
                f"{prompt.id}: the exported tokenizer and template make {len(again.ids)} tokens of it that are not the"
                f" {len(prompt.ids)} of the training",
                "nothing was published; the run's tokenizer or template was changed",
            )


def save_asking(origin: Origin, asked: Asked, folder: Path) -> ChatForm:
    """Save tokenizer, template and generation settings; the tokenizer gets our template as its chat template."""
    tokenizer, prompting = asked.tokenizer, asked.prompting
    template = prompting.template
    before = tokenizer.fast.chat_template
    if isinstance(template, ChatTemplate):
        chat = ChatForm(before)
    elif isinstance(origin.recipe, PretrainRecipe):
        chat = ChatForm(None, "the model was trained on running text and answers no questions")
    elif prompting.form is None:
        chat = ChatForm(None, "the run does not say what form its rows had")
    else:
        chat = make_chat_template(template, prompting.form, tokenizer)
    # A chat template of the base would ask in words that the fine-tuned model has not seen.
    tokenizer.fast.chat_template = chat.template
    tokenizer.fast.save_pretrained(folder)
    tokenizer.fast.chat_template = before
    if (origin.weights / FILE).is_file():
        shutil.copyfile(origin.weights / FILE, folder / FILE)
    generation_settings(origin, asked).save_pretrained(folder)
    return chat


def generation_settings(origin: Origin, asked: Asked) -> Any:
    """Greedy, ending where the training ended its answers."""
    from transformers import GenerationConfig

    recipe, tokenizer = origin.recipe, asked.tokenizer
    generation = recipe.watch.generation
    stops = list(asked.prompting.stop_ids)
    return GenerationConfig(
        do_sample=False,
        max_new_tokens=generation.max_new_tokens if generation else MAX_NEW_TOKENS,
        bos_token_id=tokenizer.bos_id,
        eos_token_id=stops or None,
        pad_token_id=tokenizer.pad_id if tokenizer.pad_id is not None else next(iter(stops), None),
    )


def _measure_quantized(
    origin: Origin, asked: Asked, reference: Observed, device: str, report: Report
) -> tuple[Comparison | None, Sequence[str]]:
    """Say how far the 4-bit base of the training is from the one that is published."""
    if origin.method != "qlora":
        return None, ()
    report("comparing with the 4-bit base of the training")
    try:
        model = load_adapted(origin, device, in_4_bits=True)
    except (ImportError, ModelError, RuntimeError) as error:
        return None, [f"the 4-bit base of the training was not compared: {str(error).splitlines()[0]}"]
    return compare(reference, observe(model, asked.prompts, asked.prompting.stop_ids, reference)), ()


def _weak(effect: Comparison | None) -> list[str]:
    if effect is None or not effect.equal:
        return []
    return ["the adapter changes the logits by no more than rounding does: the proof cannot tell whether it is in"]


def _question(asked: Asked, reference: Observed, place: int) -> dict[str, Any]:
    prompt, answer = asked.prompts[place], reference.answers[place]
    text = asked.tokenizer.decode(answer, continues=True)
    return {
        "id": prompt.id,
        "prompt": prompt.text,
        "input_ids": list(prompt.ids),
        "answer": text,
        "answer_ids": list(answer),
    }
