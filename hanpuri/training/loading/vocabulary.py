"""
A tokenizer trained on the corpora, or a trained model's own with new tokens; and the new tokens' embeddings.

In: texts. Out: a folder with tokenizer.json and tokenizer_config.json, as a model has it. Trained on reviews:

    "이 호텔에서 잤어요"  ─►  <|begin_of_text|>, "이", " 호텔", "에서", " 잤", "어요"

A Korean word is its stem and then its particles, with a space before it; so the space stays with the word behind it, no
piece goes beyond a word, and letters, figures and punctuation are kept apart. Below the pieces lie the 256 bytes: no
character is unknown, and each text comes back as it was. Padding has a token of its own, because a model whose padding
is its end sign never learns to stop.

Extended by " 호텔", a trained tokenizer gives one id where it gave three before, and the same as before elsewhere:

    "이 호텔에서"  ─►  [5, 812, 91, 40, 207] before    [5, 30000, 207] after    parts {30000: (812, 91, 40)}
"""

import copy
import itertools
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.errors import DataError, ModelError, RecipeError
from hanpuri.training.loading.words import BEFORE, find_words
from hanpuri.training.recipe import ExtendTokenizerSettings, TrainTokenizerSettings

# Not <s> and </s>: those are HTML for struck-out text, and stand in many a corpus.
PAD, BOS, EOS = SPECIAL = ("<|pad|>", "<|begin_of_text|>", "<|end_of_text|>")
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
BYTE_LETTERS = "<0x123456789ABCDEF>"
# As ByteLevel cuts, without its English contractions.
WORDS = r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
COVERAGE = 0.9995  # share of the characters that get a token (unigram); the others are written in bytes
BYTE_SCORE = -1000.0  # below every way to spell a text with its letters, so that "<0x41>" in a text stays six letters

LONGEST_PIECE = 8  # characters (unigram)


@dataclass(frozen=True)
class Extension:
    """A tokenizer with new tokens, and what each of them was before."""

    tokenizer: Tokenizer
    parts: Mapping[int, tuple[int, ...]]
    """Of each new id, the old ids that its text had."""


def train_tokenizer(settings: TrainTokenizerSettings, texts: Iterable[str], folder: Path) -> Tokenizer:
    """
    Train a tokenizer and save it into `folder`; the same texts give the same files.

    Raises:
        DataError: if there is no text, or too little for so many tokens.
    """
    counted = _Counted(texts)
    train = {"bpe": _train_bpe, "unigram": _train_unigram, "character": _count_characters}[settings.type]
    backend = train(settings, counted)
    if not counted.characters:
        raise DataError("the corpora hold no text to train a tokenizer on", "give a file with a text a line")
    if (size := backend.get_vocab_size()) != settings.vocab_size:
        raise DataError(
            f"{counted.characters:,} characters give a tokenizer of {size:,} tokens, expected {settings.vocab_size:,}",
            "give more text, or lower tokenizer.train.vocab_size",
        )
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    # Each text begins with bos, so that its first word too is foretold from something.
    backend.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, SPECIAL.index(BOS))]
    )
    fast: Any = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token=PAD, bos_token=BOS, eos_token=EOS)
    return _save(fast, folder)


def extend_tokenizer(
    tokenizer: Tokenizer, settings: ExtendTokenizerSettings, texts: Iterable[str], folder: Path
) -> Extension:
    """
    Add tokens to a tokenizer and save it into `folder`; all old ids keep their meaning.

    A new token is found wherever its letters stand, so that 호텔 is found in 호텔에서 too; it takes no space with it
    but one that it begins with itself. The tokens of `settings.count` are therefore of Hangul alone: a Latin word would
    be found inside of others, AI in AIR.

    Args:
        tokenizer: the old one, left as it is.
        settings: which tokens, or how many are to be found.
        texts: where they are looked for; not read if none are.
        folder: where the new one goes.

    Raises:
        RecipeError: if a token that is given is none, or is there already.
        DataError: if the texts hold too few words.
        ModelError: if the tokenizer puts spaces around added tokens, as those of Llama 2 may.
    """
    _check_given(tokenizer, settings.tokens)
    words = [*settings.tokens, *(find_words(tokenizer, texts, settings) if settings.count else ())]
    fast = _with_tokens(tokenizer, words)
    if (wrong := _reads_back(tokenizer, fast, words)) is not None:
        raise ModelError(
            f"the tokenizer {tokenizer.name} reads {wrong[0]!r} back as {wrong[1]!r} with a new token in it",
            "it puts spaces around added tokens: do without tokenizer.extend",
        )
    olds = tokenizer.encode_batch(words, after=[BEFORE] * len(words))
    ids = fast.convert_tokens_to_ids(words)
    parts = {id: tuple(old) for id, old in zip(ids, olds, strict=True)}
    return Extension(_save(fast, folder), parts)


def grow_embeddings(model: Any, extension: Extension) -> None:
    """
    Give a model rows for new tokens, in the table that reads tokens and in the one that writes them.

    A row starts as the mean of its parts' rows: from the first step on, the model takes 호텔 for something between its
    syllables rather than for noise. A model with spare rows at the end, which many have, is not made larger.

    Args:
        model: one of transformers, before an adapter is attached; it is changed.
        extension: of `extend_tokenizer`.
    """
    import torch

    num_rows = max(extension.parts) + 1
    if num_rows > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(num_rows, mean_resizing=False)
    ends = model.get_input_embeddings(), model.get_output_embeddings()
    found = [table for end in ends for table in (end.weight, getattr(end, "bias", None)) if table is not None]
    tables: dict[int, Any] = {id(table): table for table in found}  # one where both ends share it
    with torch.no_grad():
        for table in tables.values():
            for new, parts in extension.parts.items():
                table[new] = table[list(parts)].float().mean(0).to(table.dtype)


class _Counted:
    """Texts that are counted while a trainer reads them."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = texts
        self.characters = 0

    def __iter__(self) -> Iterator[str]:
        for text in self.texts:
            self.characters += len(text)
            yield text


def _train_bpe(settings: TrainTokenizerSettings, texts: Iterable[str]) -> Any:
    """Byte-level BPE: the bytes are the alphabet. It cuts words as GPT-2 does, which other engines know by heart."""
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models, pre_tokenizers, trainers

    backend: Any = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocab_size,
        min_frequency=settings.min_frequency,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(iter(texts), trainer)
    return backend


def _count_characters(settings: TrainTokenizerSettings, texts: Iterable[str]) -> Any:
    """One token a character, for the commonest: noisy text and clean text are then of one length in tokens too."""
    alphabet = _alphabet(list(texts), settings.vocab_size - len(SPECIAL) - len(BYTES), coverage=1.0)
    return _with_bytes([(character, 0.0) for character in alphabet])


def _train_unigram(settings: TrainTokenizerSettings, texts: Iterable[str]) -> Any:
    """Pieces of the language model of pieces; the trainer knows no bytes, so they are laid in afterwards."""
    from tokenizers import Regex, models, pre_tokenizers, trainers
    from tokenizers import Tokenizer as Backend

    room = settings.vocab_size - len(SPECIAL) - len(BYTES)
    kept = list(texts)
    alphabet = _alphabet(kept, room // 2)
    cutter: Any = pre_tokenizers.Split(Regex(WORDS), "isolated")
    pieces: dict[str, float] = {}
    if alphabet:
        learner: Any = Backend(models.Unigram())
        learner.pre_tokenizer = cutter
        # Fewer and larger steps than the library's own, at the same quality: it takes a third of the time.
        trainer = trainers.UnigramTrainer(
            vocab_size=room,
            initial_alphabet=alphabet,
            special_tokens=[],
            shrinking_factor=0.5,
            max_piece_length=LONGEST_PIECE,
            show_progress=False,
        )
        learner.train_from_iterator(_without_rare(kept, alphabet), trainer)
        pieces = dict(json.loads(learner.to_str())["model"]["vocab"])
    backend = _with_bytes(_ordered(pieces, alphabet))
    backend.pre_tokenizer = cutter
    return backend


def _with_bytes(pieces: Sequence[tuple[str, float]]) -> Any:
    """Lay the special tokens and the bytes before pieces with their scores."""
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models

    vocabulary = [*((piece, 0.0) for piece in SPECIAL), *((piece, BYTE_SCORE) for piece in BYTES), *pieces]
    backend: Any = Backend(models.Unigram(vocabulary, unk_id=len(SPECIAL), byte_fallback=True))
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    backend.add_special_tokens(list(SPECIAL))
    return backend


def _alphabet(texts: Sequence[str], most: int, coverage: float = COVERAGE) -> list[str]:
    """List the characters that get a token, the commonest first; those that a byte is named by are always there."""
    counts = Counter(itertools.chain.from_iterable(texts))
    ordered = sorted(counts, key=lambda character: (-counts[character], character))
    needed, seen = coverage * counts.total(), 0
    chosen = dict.fromkeys(BYTE_LETTERS if ordered else "")
    for character in ordered:
        if seen >= needed or len(chosen) >= most:
            break
        chosen[character] = None
        seen += counts[character]
    return list(chosen)


def _without_rare(texts: Iterable[str], alphabet: Iterable[str]) -> Iterator[str]:
    """Cut texts where a character stands that gets no token."""
    rare = re.compile("[^" + re.escape("".join(alphabet)) + "]+")
    for text in texts:
        yield from filter(None, rare.split(text))


def _ordered(pieces: Mapping[str, float], alphabet: Sequence[str]) -> list[tuple[str, float]]:
    """
    Put pieces in order, those with two characters or more as they were scored.

    Characters that no training needed alone get their scores from the trainer in an order of chance; here by how common
    they are.
    """
    lowest = min((score for piece, score in pieces.items() if len(piece) > 1), default=0.0)
    common = {character: place for place, character in enumerate(alphabet)}
    scored = {
        piece: score if score >= lowest else lowest - 1 - common.get(piece, len(common)) * 1e-4
        for piece, score in pieces.items()
    }
    # Rounded, because the trainer adds up in an order of chance.
    rounded = [(piece, round(score, 6)) for piece, score in scored.items() if piece not in BYTES]
    return sorted(rounded, key=lambda one: (-one[1], one[0]))


def _check_given(tokenizer: Tokenizer, tokens: Sequence[str]) -> None:
    known = set(tokenizer.fast.get_vocab())
    for place, token in enumerate(tokens):
        fault = (
            "is blank"
            if not token.strip()
            else "stands twice"
            if token in tokens[:place]
            else "holds a special token"
            if tokenizer.find_special(token)
            else "is a token already"
            if token in known or len(tokenizer.encode(token, after=BEFORE)) == 1
            else None
        )
        if fault:
            raise RecipeError(f"tokenizer.extend.tokens: {token!r} {fault}", "take it out of the list")


def _with_tokens(tokenizer: Tokenizer, words: Sequence[str]) -> Any:
    """Copy the library's object and add words to it, found as they stand: before any normalising, and within words."""
    from tokenizers import AddedToken

    fast = copy.deepcopy(tokenizer.fast)
    plain: dict[str, Any] = {"single_word": False, "lstrip": False, "rstrip": False, "special": False}
    fast.add_tokens([AddedToken(word, normalized=False, **plain) for word in words])
    return fast


def _reads_back(tokenizer: Tokenizer, fast: Any, words: Sequence[str]) -> tuple[str, str] | None:
    """Find a text around a new token that no longer comes back as it did, and what comes back."""
    extended = Tokenizer(tokenizer.name, fast)
    texts = [text for word in words for text in (word, f"{word}에서 {word} {word}", f"가{word}{word}가")]
    before = tokenizer.decode_batch(tokenizer.encode_batch(texts))
    after = extended.decode_batch(extended.encode_batch(texts))
    # A text may read better than before: where a token takes the place of unknown ones.
    both = zip(texts, before, after, strict=True)
    return next(((text, now) for text, old, now in both if now not in (old, text)), None)


def _save(fast: Any, folder: Path) -> Tokenizer:
    """Write beside and rename, tokenizer.json last: a folder without it is no tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as beside:
        fast.save_pretrained(beside)
        for file in sorted(Path(beside).iterdir(), key=lambda file: file.name == "tokenizer.json"):
            file.replace(folder / file.name)
    return load_tokenizer(folder)
