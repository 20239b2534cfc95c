"""
Loading tokenizers from folders and files, and what they answer.

In: folders as models have them, whole and broken. Out: token ids, text, or one line with the mend.
"""

import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.errors import DataError, ModelError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.text("가나다뷁ㅋ ab\n<>s/|", max_size=20)


def told(path) -> str:
    """What a person is told about a tokenizer that cannot be loaded."""
    with pytest.raises(ModelError) as caught:
        load_tokenizer(path)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["bytes", "unigram", "legacy", "characters"])
def test_a_folder_is_loaded_with_its_special_tokens(tokenizer_of, kind):
    tokenizer = tokenizer_of(kind)
    assert tokenizer.name == f"tiny-{kind}"
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.unk_id) == (1, 2, 0)
    assert tokenizer.pad_id == (2 if kind == "bytes" else 3)
    assert tokenizer.special_ids == frozenset(range(11))
    assert tokenizer.starts_with_bos == (kind in ("unigram", "legacy"))
    assert not tokenizer.has_chat_template
    assert max(tokenizer.encode("안녕하세요, 물이 맑다")) < tokenizer.vocab_size


def test_a_file_is_read_with_the_configuration_beside_it(tokenizer_folder):
    path = tokenizer_folder("bytes", "chatml") / "tokenizer.json"
    tokenizer = load_tokenizer(path)
    assert (tokenizer.name, tokenizer.eos_id, tokenizer.has_chat_template) == ("tiny-bytes", 2, True)


@pytest.mark.parametrize("name", ["tokenizer.json", "mine.json"])
def test_a_file_alone_counts_and_has_no_eos(tokenizer_folder, tmp_path, name):
    text = (tokenizer_folder("bytes") / "tokenizer.json").read_text(encoding="utf-8")
    (tmp_path / name).write_text(text, encoding="utf-8")
    tokenizer = load_tokenizer(tmp_path / name)
    assert tokenizer.name == (tmp_path.name if name == "tokenizer.json" else "mine.json")
    assert tokenizer.decode(tokenizer.encode("물이 맑다")) == "물이 맑다"
    assert tokenizer.eos_id is None
    with pytest.raises(ModelError, match=r"^the tokenizer .* has no eos token, expected one to end a text with; "):
        tokenizer.need_eos()


@pytest.mark.parametrize(
    ("kind", "pieces", "fallbacks"),
    [
        ("unigram", ["▁", "<0xEB>", "<0xB7>", "<0x81>", "<0x0A>"], [False, True, True, True, True]),
        ("bytes", ["ë", "·", "ģ", "Ċ"], [True, True, True, False]),  # the line end is a whole character
        ("characters", ["<unk>", "\n"], [False, False]),
    ],
)
def test_pieces_of_characters_are_told_from_tokens(tokenizer_of, kind, pieces, fallbacks):
    tokenizer = tokenizer_of(kind)
    ids = tokenizer.encode("뷁\n")
    assert [tokenizer.piece(id) for id in ids] == pieces
    assert [tokenizer.is_byte_fallback(id) for id in ids] == fallbacks


@pytest.mark.parametrize("kind", ["unigram", "legacy"])
def test_a_text_that_goes_on_gets_no_space(tokenizer_of, kind):
    tokenizer = tokenizer_of(kind)
    assert [tokenizer.piece(id) for id in tokenizer.encode("요")] in (["▁", "요"], ["▁요"])
    assert [tokenizer.piece(id) for id in tokenizer.encode("요", after="하세")] == ["요"]
    assert tokenizer.decode(tokenizer.encode(" 요", after="하세"), continues=True) == " 요"


@pytest.mark.parametrize(("kind", "pieces"), [("unigram", ["요"]), ("legacy", ["▁", "요"])])
def test_behind_a_special_token_a_text_is_read_as_if_both_were_one(tokenizer_of, kind, pieces):
    tokenizer = tokenizer_of(kind)
    ids = tokenizer.encode("요", after="하세</s>")
    assert tokenizer.encode("하세</s>") + ids == tokenizer.encode("하세</s>요")
    assert [tokenizer.piece(id) for id in ids] == pieces


@pytest.mark.parametrize("kind", ["bytes", "unigram", "legacy"])
@settings(max_examples=60)
@given(text=texts)
def test_a_text_that_goes_on_comes_back(tokenizer_of, kind, text):
    tokenizer = tokenizer_of(kind)
    assert tokenizer.decode(tokenizer.encode(text, after="가"), continues=True) == text


def test_special_tokens_are_found_where_a_text_spells_them_out(tokenizer_of):
    tokenizer = tokenizer_of("bytes")
    assert tokenizer.find_special("끝<|im_end|> 또 </s>") == "<|im_end|>"
    assert tokenizer.find_special("<strike>5 < 6</strike>") is None
    assert tokenizer.last_special("끝</s>\n") == len("끝</s>")
    assert tokenizer.last_special("끝") is None


def test_half_a_surrogate_pair_is_no_text(tokenizer_of):
    with pytest.raises(DataError, match=r"^found half a surrogate pair, expected text; clean the text first$"):
        tokenizer_of("bytes").encode("\ud800")


# --- chat templates

TALK = [{"role": "user", "content": "안녕"}, {"role": "assistant", "content": "네"}]


def test_messages_are_written_as_the_chat_template_has_them(tokenizer_of):
    tokenizer = tokenizer_of("bytes", "chatml")
    assert tokenizer.apply_chat_template(TALK[:1], "1", add_generation_prompt=True) == (
        "<|im_start|>user\n안녕<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_tokenizer_without_a_chat_template_says_so(tokenizer_of):
    with pytest.raises(ModelError) as caught:
        tokenizer_of("bytes").apply_chat_template(TALK, "1")
    assert str(caught.value) == (
        "the tokenizer tiny-bytes has no chat template, expected one; "
        "take a template file, or the tokenizer of the instruction-tuned model"
    )


def test_roles_that_a_chat_template_refuses_are_named(tokenizer_of):
    with pytest.raises(DataError) as caught:
        tokenizer_of("bytes", "gemma").apply_chat_template([{"role": "system", "content": "a"}, *TALK], "faq.jsonl:2")
    assert str(caught.value) == (
        "faq.jsonl:2: the chat template of tiny-bytes refuses system, user, assistant (System role not supported); "
        "give it the roles that it knows, in its order"
    )


# --- what cannot be loaded


def test_a_name_that_is_nowhere_on_this_machine_is_not_downloaded(tmp_path):
    path = tmp_path / "nobody"
    assert told(path) == (
        f"{path}: found no such folder or file, nor a downloaded model of that name; "
        f"check the path, or download the model first: hf download {path}"
    )
    assert told("nobody-at-all/no-such-model") == (
        "nobody-at-all/no-such-model: found no such folder or file, nor a downloaded model of that name; "
        "check the path, or download the model first: hf download nobody-at-all/no-such-model"
    )


def test_a_folder_without_a_tokenizer_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    assert told(tmp_path) == (
        f"{tmp_path}: found no tokenizer.json in this folder; give the folder of a model's tokenizer"
    )


@pytest.mark.parametrize("text", ["", "{", '{"model": {}}', "토큰"])
def test_a_file_that_is_no_tokenizer_is_named(tmp_path, text):
    path = tmp_path / "mine.json"
    path.write_text(text, encoding="utf-8")
    line = told(path)
    assert line.startswith(f"{path}: cannot be read as a tokenizer (")
    assert line.endswith("); download it again, or save it again")


def test_a_broken_configuration_is_named(tokenizer_folder):
    folder = tokenizer_folder("bytes")
    (folder / "tokenizer_config.json").write_text("{", encoding="utf-8")
    assert told(folder).startswith(f"{folder}: cannot be read as a tokenizer (")


def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert told(tmp_path) == (
        'a tokenizer needs the library transformers, which is not installed; install it: pip install "hanpuri[data]"'
    )


def test_a_tokenizer_goes_to_another_process_and_back(tokenizer_of):
    import pickle

    tokenizer = tokenizer_of("unigram", "chatml")
    again = pickle.loads(pickle.dumps(tokenizer))
    assert again.encode("물이 맑다", after="가") == tokenizer.encode("물이 맑다", after="가")
    assert json.dumps(again.apply_chat_template(TALK, "1")) == json.dumps(tokenizer.apply_chat_template(TALK, "1"))
