"""
A tokenizer from a folder or a file, and the few questions that the house asks of it.

In: the folder of a model, or its tokenizer.json. Out: a Tokenizer, here of a small byte-level one:

    encode("쨰밌어요")  ─►  [169, 103, 362, 311]        decode([169, 103, 362, 311])  ─►  "쨰밌어요"

transformers stands behind this module alone. Nothing is ever downloaded here: a name of the Hugging Face hub is looked
up among what is on this machine already.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from hanpuri.errors import DataError, ModelError

BYTE_PIECE = re.compile(r"<0x[0-9A-F]{2}>")  # how sentencepiece names a byte of a character that it has no piece for
REPLACEMENT = "\ufffd"

Messages = Sequence[Mapping[str, Any]]


class Tokenizer:
    """
    A tokenizer of the `tokenizers` library with what its folder says about it. Made by `load_tokenizer`.

    Tokenizers of the sentencepiece kind put a space before a text that they are given. A text that goes on where
    another has ended must not get one: `after` says what stands before it, and to `decode` it is `continues=True`.
    """

    name: str
    """The folder or file that it came from, without the folders above."""
    vocab_size: int
    """Tokens in all, the added ones too."""
    bos_id: int | None
    eos_id: int | None
    pad_id: int | None
    unk_id: int | None
    starts_with_bos: bool
    """Whether it puts the bos token before a text by itself, as every engine will have it do."""
    special_ids: frozenset[int]
    """Tokens that are signs to the model and no text: bos, eos, the marks of a chat."""
    fast: Any
    """The library's own object: what trainers take and what is saved beside a model."""

    def __init__(self, name: str, fast: Any) -> None:
        self.name = name
        self.fast = fast
        self._first = fast.backend_tokenizer
        self.vocab_size = len(fast)
        self.bos_id, self.eos_id = fast.bos_token_id, fast.eos_token_id
        self.pad_id, self.unk_id = fast.pad_token_id, fast.unk_token_id
        self.starts_with_bos = self.bos_id is not None and fast("가").input_ids[:1] == [self.bos_id]
        signs = {id: token.content for id, token in fast.added_tokens_decoder.items() if token.special}
        self.special_ids = frozenset({*signs, *fast.all_special_ids})
        texts = sorted({*signs.values(), *fast.all_special_tokens}, key=len, reverse=True)
        pattern = "|".join(map(re.escape, texts)) if texts else r"(?!)"
        self._special, self._special_at_end = re.compile(pattern), re.compile(rf"(?:{pattern})\Z")
        self._longest_special = max(map(len, texts), default=1)
        self._pieces: dict[int, bool] = {}

    @cached_property
    def _later(self) -> Any:
        """The same tokenizer without the space that it puts before a text."""
        parts = json.loads(self._first.to_str())
        without = {key: part if key == "model" else _without_space(part) for key, part in parts.items()}
        return self._first if without == parts else type(self._first).from_str(json.dumps(without))

    def encode(self, text: str, *, after: str = "") -> list[int]:
        """
        Turn a text into token ids, no bos or eos added.

        Args:
            text: the text.
            after: what stands before it, if it goes on.
        """
        return self.encode_batch([text], after=[after] if after else None)[0]

    def encode_batch(self, texts: Sequence[str], *, after: Sequence[str] | None = None) -> list[list[int]]:
        """
        Turn many texts into token ids: several times as fast as one by one.

        Args:
            texts: the texts.
            after: what stands before each, if they go on. Behind a special token some tokenizers put a space, and some
                take one away; this is kept, so that two texts apart give the tokens of both in one.

        Raises:
            DataError: if a text holds half a surrogate pair.
        """
        if after is None:
            return self._ids(self._first, texts)
        ids = self._ids(self._later, texts)
        signs = [self._special_at_end.search(before[-self._longest_special :]) for before in after]
        places = [place for place, sign in enumerate(signs) if sign]
        behind = self._ids(
            self._first, [f"{sign.group()}{text}" for sign, text in zip(signs, texts, strict=True) if sign]
        )
        for place, tokens in zip(places, behind, strict=True):
            ids[place] = tokens[1:]
        return ids

    def _ids(self, backend: Any, texts: Sequence[str]) -> list[list[int]]:
        try:
            return [one.ids for one in backend.encode_batch_fast(texts, add_special_tokens=False)]
        except (TypeError, UnicodeEncodeError):  # the library's words for half a surrogate pair
            raise DataError("found half a surrogate pair, expected text", "clean the text first") from None

    def decode(self, ids: Sequence[int], *, continues: bool = False) -> str:
        """Turn token ids into the text that they stand for, special tokens spelled out."""
        return self.decode_batch([ids], continues=continues)[0]

    def decode_batch(self, rows: Sequence[Sequence[int]], *, continues: bool = False) -> list[str]:
        """Turn many rows of token ids into text."""
        backend = self._later if continues else self._first
        texts: list[str] = backend.decode_batch(rows, skip_special_tokens=False)
        return texts

    def piece(self, id: int) -> str:
        """Name a token as its vocabulary does, such as "▁안" or "<0xEB>"."""
        return str(self._first.id_to_token(id))

    def is_byte_fallback(self, id: int) -> bool:
        """
        Tell whether a token is a mere piece of a character: a byte, or a few that make up no whole one.

        A text with many of them costs many tokens, and a model that picks one wrong writes U+FFFD.
        """
        if id not in self._pieces:
            piece = self.piece(id)
            whole = id in self.special_ids or REPLACEMENT not in self.decode([id], continues=True)
            self._pieces[id] = bool(BYTE_PIECE.fullmatch(piece)) or not whole
        return self._pieces[id]

    def find_special(self, text: str) -> str | None:
        """Find the first special token that a text spells out; the tokenizer would read a sign there, not text."""
        found = self._special.search(text)
        return found.group() if found else None

    def last_special(self, text: str) -> int | None:
        """Give the place behind the last special token that a text spells out."""
        return max((found.end() for found in self._special.finditer(text)), default=None)

    def need_eos(self) -> int:
        """
        Give the id of the eos token.

        Raises:
            ModelError: if the tokenizer has none.
        """
        if self.eos_id is None:
            raise ModelError(
                f"the tokenizer {self.name} has no eos token, expected one to end a text with",
                'give the folder with its tokenizer_config.json, and write "eos_token": "..." there',
            )
        return int(self.eos_id)

    @property
    def has_chat_template(self) -> bool:
        """Whether its folder brings a template for chats."""
        return bool(self.fast.chat_template)

    def apply_chat_template(self, messages: Messages, where: str, *, add_generation_prompt: bool = False) -> str:
        """
        Write messages as one text, as the model's own chat template has it.

        Args:
            messages: each with "role" and "content".
            where: how an error names the row.
            add_generation_prompt: end with the words after which the assistant speaks.

        Raises:
            DataError: if the template refuses the messages.
            ModelError: if the tokenizer has no chat template.
        """
        from jinja2 import TemplateError

        if not self.has_chat_template:
            mend = "take a template file, or the tokenizer of the instruction-tuned model"
            raise ModelError(f"the tokenizer {self.name} has no chat template, expected one", mend)
        try:
            text = self.fast.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=add_generation_prompt
            )
        except (TemplateError, TypeError, ValueError) as error:
            roles = ", ".join(str(message["role"]) for message in messages) or "nothing"
            raise DataError(
                f"{where}: the chat template of {self.name} refuses {roles} ({error})",
                "give it the roles that it knows, in its order",
            ) from None
        return str(text)


def load_tokenizer(path: str | Path) -> Tokenizer:
    """
    Load a tokenizer from a model's folder, from a tokenizer.json, or by the name of a downloaded model.

    A tokenizer.json is read together with the tokenizer_config.json beside it: only there stands which token is eos.

    Raises:
        ModelError: if there is none, it cannot be read, it is not of the `tokenizers` library, or transformers is
            not installed.
    """
    try:
        import transformers
    except ImportError:
        mend = 'install it: pip install "hanpuri[data]"'
        raise ModelError("a tokenizer needs the library transformers, which is not installed", mend) from None
    place = Path(path)
    if place.name == "tokenizer.json" and place.with_name("tokenizer_config.json").is_file():
        place = place.parent
    fast: Any
    fast_from_file: Any = transformers.PreTrainedTokenizerFast  # its signature has no types
    try:
        if place.is_file():
            fast = fast_from_file(tokenizer_file=str(place))
        else:
            fast = transformers.AutoTokenizer.from_pretrained(str(place), local_files_only=True)
    except Exception as error:  # each kind of damage is another exception there, some of them a bare `Exception`
        raise _load_fault(path, place, error) from None
    if not fast.is_fast:
        raise ModelError(f"{path}: found a tokenizer in Python, expected a tokenizer.json", "convert it to one first")
    return Tokenizer(_title(place), fast)


def _load_fault(path: str | Path, place: Path, error: Exception) -> ModelError:
    if not place.exists():
        found = f"{path}: found no such folder or file, nor a downloaded model of that name"
        return ModelError(found, f"check the path, or download the model first: hf download {path}")
    if place.is_dir() and not any(place.glob("tokenizer*")):
        return ModelError(f"{path}: found no tokenizer.json in this folder", "give the folder of a model's tokenizer")
    told = (str(error) or type(error).__name__).splitlines()[0]
    return ModelError(f"{path}: cannot be read as a tokenizer ({told})", "download it again, or save it again")


def _title(place: Path) -> str:
    return place.resolve().parent.name if place.name == "tokenizer.json" else place.resolve().name


def _without_space(part: Any) -> Any:
    """Take out of a tokenizer's parts whatever puts a space before a text, or takes one off when it is decoded."""
    if isinstance(part, list):
        return [_without_space(inner) for inner in part if not _is_prepend(inner)]
    if not isinstance(part, dict):
        return part
    if _is_prepend(part):
        return None
    part = {key: _without_space(inner) for key, inner in part.items()}
    if part.get("type") == "Metaspace":
        part["prepend_scheme"] = "never"
    if part.get("type") == "ByteLevel":
        part["add_prefix_space"] = False
    if part.get("type") == "Strip" and part.get("content") == " ":
        part["start"] = 0
    return part


def _is_prepend(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "Prepend"
