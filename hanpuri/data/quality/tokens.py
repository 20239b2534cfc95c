"""
What a tokenizer makes of the data: what a syllable costs, and whether the text survives.

In:  a tokenizer, texts.   Out: counts. A byte-level tokenizer whose vocabulary lacks 꽤, on the text "꽤 좋아요":

    [171, 188, 97, 311, 262]  ─►  TokenizerAudit(texts=1, characters=5, syllables=4, tokens=5, byte_tokens=3, …)

Korean suffers here in silence: a syllable that the vocabulary lacks costs three tokens, or turns into <unk> or U+FFFD.
Obfuscated text is full of rare syllables, so it is looked at apart.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import islice

from hanpuri.data.quality.facts import TokenizerAudit
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.hangul import code_points, syllable_mask

REPLACEMENT = "\ufffd"
BATCH = 1_000


def audit_tokenizer(tokenizer: Tokenizer, texts: Iterable[str]) -> TokenizerAudit:
    """
    Encode and decode each text, and count what it costs and what is lost on the way.

    Raises:
        DataError: if a text holds half a surrogate pair.
    """
    counts = Counter(dict.fromkeys(TokenizerAudit.__dataclass_fields__, 0))
    rest = iter(texts)
    while batch := list(islice(rest, BATCH)):
        rows = tokenizer.encode_batch(batch)
        counts["texts"] += len(batch)
        for text, back in zip(batch, tokenizer.decode_batch(rows), strict=True):
            counts["characters"] += len(text)
            counts["syllables"] += int(syllable_mask(code_points(text)).sum())
            counts["lost_characters"] += max(0, back.count(REPLACEMENT) - text.count(REPLACEMENT))
            counts["exact"] += back == text
        for token, times in Counter(token for row in rows for token in row).items():
            counts["tokens"] += times
            counts["byte_tokens"] += times * tokenizer.is_byte_fallback(token)
            counts["unknown_tokens"] += times * (token == tokenizer.unk_id)
    return TokenizerAudit(**counts)
