"""`hanpuri templates`: what is listed, and what a row becomes."""

import json

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

ROWS = {
    "faq.jsonl": (
        '{"question": "한강은 어디로 흐르나요?", "answer": "서해로 흐릅니다."}\n'
        '{"question": "{input}", "answer": "{"}\n'
    ),
    "pairs.csv": "noisy,clean\n쨘뜩,잔뜩\n",
    "talks.jsonl": (
        '{"messages": [{"role": "user", "content": "안녕"}, {"role": "assistant", "content": "네."},'
        ' {"role": "user", "content": "잘 가"}, {"role": "assistant", "content": "또 봐."}]}\n'
    ),
    "odd.csv": "a,b\n1,2\n",
    "notes.txt": "물이 맑다.\n",
}
CHAT = "{% for m in messages %}{{ m['role'] }}:{{ m['content'] }}</s>{% endfor %}"
CHAT += "{% if add_generation_prompt %}assistant:{% endif %}"


@pytest.fixture(autouse=True)
def files(tmp_path):
    for name, text in ROWS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    letters = {letter: id for id, letter in enumerate(["</s>", *pre_tokenizers.ByteLevel.alphabet()])}
    tokenizer = Tokenizer(models.BPE(letters, []))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.add_special_tokens(["</s>"])
    folder = tmp_path / "tiny"
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    configuration = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>", "chat_template": CHAT}
    (folder / "tokenizer_config.json").write_text(json.dumps(configuration), encoding="utf-8")


def test_templates_are_listed_with_their_placeholders(hanpuri):
    listed = hanpuri("templates").out
    rows = [json.loads(line) for line in hanpuri("templates", "--json").out.splitlines()]
    names = ["alpaca-en", "alpaca-ko", "koalpaca", "plain", "restoration-en", "restoration", "chat"]
    assert [row["name"] for row in rows] == names
    assert all(row["name"] in listed and row["description"] in listed for row in rows)
    assert rows[2]["fields"] == ["instruction", "input", "output"]


@pytest.mark.parametrize(
    ("name", "row", "expected"),
    [
        ("koalpaca", "faq.jsonl:1", "### 질문: 한강은 어디로 흐르나요?\n\n### 답변:⟦ 서해로 흐릅니다.⟧\n"),
        ("koalpaca", "faq.jsonl:2", "### 질문: {input}\n\n### 답변:⟦ {⟧\n"),
        ("plain", "pairs.csv:2", "쨘뜩\n⟦잔뜩⟧\n"),
        ("plain", "notes.txt:1", "⟦물이 맑다.⟧\n"),
    ],
)
def test_a_row_is_shown_with_its_trained_stretch(hanpuri, name, row, expected):
    done = hanpuri("templates", "show", name, "--row", row)
    assert (done.code, done.out, done.err) == (0, expected, "")


def test_a_preference_is_shown_to_a_template_that_restores_as_it_is_trained_on(hanpuri, tmp_path):
    pair = {"prompt": "쨘뜩", "chosen": "잔뜩", "rejected": "짠뜩"}
    (tmp_path / "wrong.jsonl").write_text(json.dumps(pair), encoding="utf-8")
    (tmp_path / "right.jsonl").write_text('{"noisy": "쨘뜩", "clean": "잔뜩"}', encoding="utf-8")
    shown = [hanpuri("templates", "show", "restoration", "--row", f"{name}.jsonl:1") for name in ("wrong", "right")]
    assert (shown[0].code, shown[0].err) == (0, "")
    assert shown[0].out == shown[1].out


def test_a_row_is_shown_with_its_tokens(hanpuri):
    done = hanpuri("templates", "show", "plain", "--row", "pairs.csv:2", "--tokenizer", "tiny")
    assert done.err == ""
    assert done.out == "쨘뜩\n⟦잔뜩⟧\n\n쨘×3|뜩×3|↵|⟦잔×3⟧|⟦뜩×3⟧|⟦</s>⟧\n14 tokens, 7 trained\n"


def test_a_conversation_is_shown_as_the_chat_template_writes_it(hanpuri):
    show = ("templates", "show", "chat", "--row", "talks.jsonl:1", "--tokenizer", "tiny")
    shown = json.loads(hanpuri(*show, "--train-on", "last", "--json").out)
    assert shown["segments"] == [
        {"text": "user:안녕</s>assistant:네.</s>user:잘 가</s>assistant:", "trained": False},
        {"text": "또 봐.</s>", "trained": True},
    ]
    assert (shown["template"], shown["id"], shown["tokenizer"]) == ("chat", "talks.jsonl:1", "tiny")
    assert [label for label in shown["labels"] if label != -100] == shown["input_ids"][-shown["num_trained"] :]
    assert shown["tokens"][-1] == "</s>"


def test_a_prompt_that_ends_in_a_space_is_noted_on_standard_error(hanpuri, tmp_path):
    (tmp_path / "mine.yaml").write_text('prompt_no_input: "{instruction} "\n', encoding="utf-8")
    done = hanpuri("templates", "show", "mine.yaml", "--row", "faq.jsonl:1")
    assert (done.code, done.out) == (0, "한강은 어디로 흐르나요? ⟦서해로 흐릅니다.⟧\n")
    assert done.err.startswith("note: prompt_no_input ends in a space")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["plain", "--row", "faq.jsonl"],
            "--row is 'faq.jsonl', expected a file and a line; write it as pairs.jsonl:1",
        ),
        (["plain", "--row", "faqs.jsonl:1"], "faqs.jsonl: found no such file; did you mean faq.jsonl?"),
        (
            ["plain", "--row", "faq.jsonl:9"],
            "faq.jsonl:9: found no sound row that begins at this line; name the line of another row",
        ),
        (
            ["plain", "--row", "odd.csv:2"],
            "odd.csv: found no fields of one form, expected messages; noisy, clean; instruction, input, output; "
            "prompt, input, chosen, rejected; text; rename the fields",
        ),
        (
            ["restoration", "--row", "faq.jsonl:1"],
            "faq.jsonl:1: found a row with no input, the template restoration has no prompt_no_input; "
            "give it one, or take another template: hanpuri templates",
        ),
        (
            ["chat", "--row", "talks.jsonl:1"],
            "the template chat is a tokenizer's own, and no tokenizer is given; name a tokenizer too",
        ),
        (["plain", "--row", "faq.jsonl:1", "--train-on", "none"], "--train-on is 'none'; write all or last"),
    ],
)
def test_a_fault_is_one_line(hanpuri, arguments, message):
    done = hanpuri("templates", "show", *arguments)
    assert (done.code, done.out, done.err) == (2, "", f"hanpuri: {message}\n")
