"""How a model was asked is kept beside it, read back as it was, and a change of it is found."""

import json

import pytest

from hanpuri.data.chats import ChatTemplate, choose_template
from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.templates import SHIPPED, Template, load_template
from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.errors import DataError, RecipeError
from hanpuri.training.prompting import FILE, hash_template, load_prompting, make_prompting, save_prompting

TEMPLATES = [path.stem for path in sorted(SHIPPED.glob("*.yaml"))]
TALK = {"messages": [{"role": "user", "content": "바다가 보이나요?"}]}
SETTINGS = ExampleSettings()


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_comes_back_from_a_models_folder_and_asks_the_same(tmp_path, tokenizer_of, name):
    tokenizer, template = tokenizer_of("bytes"), load_template(name)
    save_prompting(tmp_path, template, SETTINGS, "pairs", longest_prompt=57)
    prompting = load_prompting(tmp_path, tokenizer)
    assert prompting.longest_prompt == 57
    row = {"noisy": "쨰밌어요 {noisy}\n"}
    assert prompting.prompt(row, "1") == template.prompt(row, "1")
    assert (prompting.hash, prompting.form, prompting.note) == (hash_template(template), "pairs", "")
    assert prompting.stop_ids == (tokenizer.eos_id,)


@pytest.mark.parametrize("chat", ["chatml", "llama", "gemma", "qwen3"])
def test_a_chat_template_comes_back_from_a_models_folder_and_asks_the_same(tmp_path, tokenizer_folder, chat):
    template = choose_template("chat", load_tokenizer(tokenizer_folder("bytes", chat)), "last")
    save_prompting(tmp_path, template, ExampleSettings(train_on="last"))
    other = load_tokenizer(tokenizer_folder("bytes", "bare"))
    prompting = load_prompting(tmp_path, other)
    assert prompting.template.train_on == "last"
    assert prompting.prompt(TALK, "1").text == template.prompt(TALK, "1").text
    assert prompting.note == (
        "the chat template of the tokenizer tiny-bytes is not that of the training, which is taken"
    )


# chat template; the token that ends an answer, besides eos; what stands before an answer
ENDS = [
    ("chatml", "<|im_end|>", ""),
    ("generation", "<|im_end|>", ""),
    ("llama", "<|eot_id|>", ""),
    ("gemma", "<end_of_turn>", ""),
    # thoughts, empty here, are no part of the answer
    ("qwen3", "<|im_end|>", "<think>\n\n</think>\n\n"),
    # asks with the beginning of a thought, and writes answers without one
    ("thinking", "<|im_end|>", ""),
    # nothing ends a turn
    ("bare", None, ""),
]


@pytest.mark.parametrize(("chat", "sign", "before"), ENDS)
@pytest.mark.parametrize("kind", ["bytes", "unigram", "legacy"])
def test_an_answer_ends_with_the_token_that_ends_a_turn(tokenizer_of, kind, chat, sign, before):
    tokenizer = tokenizer_of(kind, chat)
    prompting = make_prompting(ChatTemplate(tokenizer), tokenizer)
    ends = [tokenizer.fast.convert_tokens_to_ids(sign)] if sign else []
    assert prompting.stop_ids == (*ends, tokenizer.eos_id)
    assert (prompting.before, prompting.after, prompting.stop_text) == (before, "", "")


# stop of a template file; stop ids besides eos, stop text
STOPS = [("", [], ""), ("\n###", [], "\n###"), ("<|im_end|>", ["<|im_end|>"], ""), ("<|im_end|>\n", ["<|im_end|>"], "")]


@pytest.mark.parametrize(("stop", "signs", "text"), STOPS)
def test_an_answer_ends_with_the_stop_of_a_template_file(tokenizer_of, stop, signs, text):
    tokenizer = tokenizer_of("bytes")
    template = Template(name="mine", prompt_no_input="{instruction}\n", response="답: {output}.", stop=stop)
    prompting = make_prompting(template, tokenizer)
    assert prompting.stop_ids == (*tokenizer.fast.convert_tokens_to_ids(signs), tokenizer.eos_id)
    assert (prompting.stop_text, prompting.before, prompting.after) == (text, "답: ", ".")
    assert prompting.answer_of("답: 네.") == "네"


def test_a_folder_that_does_not_say_how_it_was_asked_is_guessed_aloud(tmp_path, tokenizer_of):
    folder = tmp_path / "some"
    folder.mkdir()
    prompting = load_prompting(folder, tokenizer_of("bytes"))
    assert (prompting.template.name, prompting.note) == (
        "plain",
        "some does not say how it was trained: the template plain is taken",
    )
    prompting = load_prompting(folder, tokenizer_of("bytes", "chatml"))
    assert (prompting.template.name, prompting.note) == (
        "chat",
        "some does not say how it was trained: the chat template of its tokenizer is taken",
    )


def test_a_changed_template_is_refused_unless_its_hash_is_taken_out(tmp_path, tokenizer_of):
    save_prompting(tmp_path, load_template("koalpaca"), SETTINGS)
    path = tmp_path / FILE
    changed = path.read_text(encoding="utf-8").replace("### 답변:", "### 대답:")
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(RecipeError) as error:
        load_prompting(tmp_path, tokenizer_of("bytes"))
    assert str(error.value) == (
        f"{path}: found another template than the model was trained with, by its sha256; "
        "put the file back as it was; or take the line sha256 out, if you mean it"
    )
    path.write_text("".join(line for line in changed.splitlines(True) if "sha256" not in line), encoding="utf-8")
    assert "대답" in load_prompting(tmp_path, tokenizer_of("bytes")).prompt({"instruction": "네?"}, "1").text


# what stands in prompt_template.yaml, what is said
BROKEN = [
    ("template: [", "cannot be read (while parsing"),
    ("- 1\n", "cannot be read (the file: Input should be"),
    ("train_on: all\n", "found neither template nor chat_template; copy it again from the run's folder"),
    ("template: {prompt: '{input}'}\n", "cannot be read (template.prompt: Extra inputs are not permitted)"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_a_broken_file_is_said_in_one_line(tmp_path, tokenizer_of, text, message):
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as error:
        load_prompting(tmp_path, tokenizer_of("bytes"))
    assert str(error.value).startswith(f"{tmp_path / FILE}: {message}")
    assert "\n" not in str(error.value)


# template, form of the rows; the row that a question becomes
QUESTIONS = [
    ("koalpaca", None, {"instruction": "네?", "input": "맥락"}),
    ("alpaca-ko", "instruction", {"instruction": "네?", "input": "맥락"}),
    # it has prompts for pairs alone
    ("restoration", None, {"noisy": "네?"}),
    # it has both, and was trained on pairs
    ("plain", "pairs", {"noisy": "네?"}),
    ("plain", "preference", {"prompt": "네?", "input": "맥락"}),
    ("plain", "text", {"text": "네?"}),
    ("plain", None, {"instruction": "네?", "input": "맥락"}),
]


@pytest.mark.parametrize(("name", "form", "row"), QUESTIONS)
def test_a_question_becomes_a_row_of_the_kind_that_was_trained(tokenizer_of, name, form, row):
    prompting = make_prompting(load_template(name), tokenizer_of("bytes"), form=form)
    assert prompting.question("네?", "맥락") == row
    prompting.prompt(row, "1")


def test_running_text_is_gone_on_with(tokenizer_of):
    prompting = make_prompting(load_template("plain"), tokenizer_of("bytes"), form="text")
    assert prompting.prompt({"text": "바다가 보"}, "1").text == "바다가 보"


def test_a_system_text_stands_before_each_question(tokenizer_of):
    plain = make_prompting(load_template("plain"), tokenizer_of("bytes")).with_system("짧게.")
    assert plain.prompt(plain.question("네?"), "1").text == "짧게.\n\n네?\n"
    assert plain.with_system("").prompt(plain.question("네?"), "1").text == "네?\n"
    tokenizer = tokenizer_of("bytes", "chatml")
    chat = make_prompting(ChatTemplate(tokenizer), tokenizer).with_system("짧게.")
    assert chat.prompt(chat.question("네?", "맥락"), "1").text == (
        "<|im_start|>system\n짧게.<|im_end|>\n<|im_start|>user\n네?\n\n맥락<|im_end|>\n<|im_start|>assistant\n"
    )
    with pytest.raises(
        DataError, match=r"^the model was trained on pairs, which have no system message; leave it out$"
    ):
        make_prompting(ChatTemplate(tokenizer), tokenizer, form="pairs").with_system("짧게.")


def test_the_hash_is_that_of_the_texts_alone(tokenizer_of):
    template = load_template("koalpaca")
    assert hash_template(template) == hash_template(template.model_copy(update={"name": "x", "description": "y"}))
    fields = [*{"prompt_input", "prompt_no_input", "response", "stop", "system", "instruction"}]
    changed = {hash_template(template.model_copy(update={key: "other"})) for key in fields}
    assert len({*changed, hash_template(template)}) == len(fields) + 1
    first, second = (ChatTemplate(tokenizer_of("bytes", chat)) for chat in ("chatml", "llama"))
    assert hash_template(first) != hash_template(second)


def test_the_kept_file_reads_well(tmp_path):
    save_prompting(tmp_path, load_template("koalpaca"), SETTINGS, "instruction")
    text = (tmp_path / FILE).read_text(encoding="utf-8")
    assert text.startswith("# How this model was asked in training.")
    assert "### 질문: {instruction}" in text
    assert json.dumps(hash_template(load_template("koalpaca")))[1:-1] in text
