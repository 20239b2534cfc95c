"""
Bytes to lines: encodings, byte order marks, and which encoding fits when the one that was named does not.

In: chunks of bytes. Out: text, and its lines, which keep their ends. One real item, from a file saved by Excel:

    b"\\xc1\\xc1\\xbe\\xc6\\xbf\\xe4\\r\\n", encoding "cp949"  ─►  "좋아요\\r\\n"

Lines end at "\\n" and nowhere else: `str.splitlines` would also split at U+2028, U+0085, "\\x0b" and four more,
which people's texts do hold, and the lines of the output would no longer be those of the input.
"""

import codecs
from collections.abc import Iterable, Iterator
from encodings.aliases import aliases
from itertools import chain

from hanpuri.data.files.formats import nearest
from hanpuri.errors import DataError

NUM_SAMPLE_BYTES = 1 << 20

# A byte order mark, the encodings that it may open, and the encoding of the bytes behind it.
MARKS = (
    (codecs.BOM_UTF8, ("utf-8", "utf-8-sig"), "utf-8"),
    (codecs.BOM_UTF16_LE, ("utf-16", "utf-16-le"), "utf-16-le"),
    (codecs.BOM_UTF16_BE, ("utf-16", "utf-16-be"), "utf-16-be"),
    (codecs.BOM_UTF32_LE, ("utf-32", "utf-32-le"), "utf-32-le"),
    (codecs.BOM_UTF32_BE, ("utf-32", "utf-32-be"), "utf-32-be"),
)
BYTES_TO_BYTES = {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"}
UNMARKED = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}


def check_encoding(encoding: str) -> str:
    """
    Check the name of an encoding, and give its canonical form.

        >>> check_encoding("UTF8"), check_encoding("ms949")
        ('utf-8', 'cp949')

    Raises:
        DataError: if Python knows no such text encoding; it names the nearest.
    """
    try:
        "".encode(encoding)  # unlike codecs.lookup, refuses base64, rot13 and other codecs that make no bytes of text
        return codecs.lookup(encoding).name
    except (LookupError, ValueError):
        known = {name.replace("_", "-"): codec for alias, codec in aliases.items() for name in (alias, codec)}
        guess = nearest(encoding, [name for name, codec in known.items() if codec not in BYTES_TO_BYTES])
        mend = f"did you mean --encoding {guess}?" if guess else "Korean files are utf-8, cp949 or utf-16"
        raise DataError(f'found the encoding "{encoding}", expected one that Python knows', mend) from None


def split_mark(head: bytes, encoding: str) -> tuple[bytes, str]:
    """
    Give the byte order mark that opens `head` (b"" if none does), and the encoding of the bytes behind it.

    The mark is no text: it is taken off on reading, kept, and written again.

        >>> split_mark(b"\\xff\\xfe\\xac\\x00", "utf-16")
        (b'\\xff\\xfe', 'utf-16-le')
        >>> split_mark(b"abc", "utf-8")
        (b'', 'utf-8')
    """
    for mark, openers, behind in MARKS:
        if encoding in openers and head.startswith(mark):
            return mark, behind
    return b"", UNMARKED.get(encoding, encoding)


def fitting_encoding(sample: bytes) -> str | None:
    """
    Find the encoding that a sample of a Korean file is in: utf-8, cp949 or utf-16; None if none fits.

    The sample may end within a character. (What utf-8-sig reads, utf-8 reads too: the mark is taken off in both.)

        >>> fitting_encoding("값이 싸요".encode("cp949"))
        'cp949'
    """
    # Zero bytes are fine in utf-8 and cp949, and yet a sign of utf-16: every space and line end of it holds one.
    for encoding in ("utf-16", "utf-8", "cp949") if b"\0" in sample else ("utf-8", "cp949", "utf-16"):
        mark, behind = split_mark(sample, encoding)
        try:
            text = codecs.getincrementaldecoder(behind)().decode(sample[len(mark) :])
        except UnicodeDecodeError:
            continue
        if encoding != "utf-16" or mark or _is_plausible(text):
            return encoding
    return None


def _is_plausible(text: str) -> bool:
    # Nearly any bytes are valid UTF-16: without a mark, only text that is mostly Hangul and ASCII counts.
    usual = sum("\t" <= character <= "~" or "가" <= character <= "힣" for character in text)
    return 2 * usual > len(text)


def decode_text(chunks: Iterable[bytes], encoding: str, name: str) -> Iterator[str]:
    """
    Decode chunks of bytes, none of them empty, into pieces of text, none of them empty.

        >>> list(decode_text([b"a\\r\\nb\\xea", b"\\xb0\\x80"], "utf-8", "notes.txt"))
        ['a\\r\\nb', '가']

    Raises:
        DataError: if the bytes are not in that encoding; it names the line, and the encoding that fits.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    sample = bytearray()
    num_newlines = 0
    for chunk in chain(chunks, (b"",)):
        if len(sample) < NUM_SAMPLE_BYTES:
            sample += chunk
        state = decoder.getstate()
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            num_good, piece = _good_newlines(decoder, state, chunk)
            seen = bytes(sample) if sample.endswith(chunk) else bytes(sample) + piece
            raise _misfit(f"{name}:{num_newlines + num_good + 1}", error, encoding, seen) from None
        num_newlines += text.count("\n")
        if text:
            yield text


def split_lines(pieces: Iterable[str], name: str, max_length: int | None = None) -> Iterator[str]:
    """
    Cut pieces of text into lines that keep their "\\n".

        >>> list(split_lines(["a\\r\\nb", "가\\n\\nc"], "notes.txt"))
        ['a\\r\\n', 'b가\\n', '\\n', 'c']

    Raises:
        DataError: at a line that goes on from piece to piece beyond `max_length` characters, before more of it is read.
    """
    number = 1
    unfinished: list[str] = []  # joined once, at the line's end: a line of many pieces must not cost their square
    num_unfinished = 0
    for piece in pieces:
        first, *others = piece.split("\n")
        unfinished.append(first)
        num_unfinished += len(first)
        if max_length is not None and num_unfinished > max_length:
            found = f"{name}:{number}: found a line of more than {max_length:,} characters, expected less"
            raise DataError(found, "put each row on a line of its own")
        if not others:
            continue
        yield "".join(unfinished) + "\n"
        *whole, rest = others
        for line in whole:
            yield line + "\n"
        number += len(others)
        unfinished, num_unfinished = [rest], len(rest)
    if last := "".join(unfinished):
        yield last


def _good_newlines(decoder: codecs.IncrementalDecoder, state: tuple[bytes, int], chunk: bytes) -> tuple[int, bytes]:
    # Feed the chunk again, a byte at a time: slow, right in every encoding, and done once. Gives how many newlines
    # there are before the bad byte, and the chunk from the bad line on.
    decoder.setstate(state)
    num_good, begin = 0, 0
    for index in range(len(chunk)):
        try:
            newlines = decoder.decode(chunk[index : index + 1]).count("\n")
        except UnicodeDecodeError:
            break
        num_good += newlines
        begin = index + 1 if newlines else begin
    return num_good, chunk[begin:]


def _misfit(where: str, error: UnicodeDecodeError, encoding: str, sample: bytes) -> DataError:
    message = f"{where}: found the byte 0x{error.object[error.start]:02x}, expected {encoding}"
    fitting = fitting_encoding(sample)
    if fitting and fitting != encoding:
        return DataError(message, f"the file reads as {fitting}: --encoding {fitting}")
    return DataError(message, "neither utf-8, cp949 nor utf-16 fits: mend the line, or name the file's --encoding")
