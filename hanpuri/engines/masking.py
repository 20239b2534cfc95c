"""
Which tokens may come next: aligned decoding in transformers, with llguidance.

In: the regular expression of each row's answer, and the tokens that the rows have chosen so far. Out: scores, in which
every token that would break its row's expression is −∞. Of "[가-힣][가-힣]!", once "바" is written:

    stay     "다", "닷", "다!", the first byte of "뷁"          go     "!", " ", "다가", </s>

A token may hold several syllables or a third of one. Behind a whole answer only the tokens stay that end it.

What may come next is worked out in a thread of its own while the model reads the token that came last.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from hanpuri.data.tokenizers import Tokenizer
from hanpuri.errors import EngineError

BITS = 32
Bits = npt.NDArray[np.int32]
"""(B, ceil(V / 32)): a bit for each token, whether it may come."""


class TokenMasks:
    """llguidance with a model's tokenizer: makes the masks of batches."""

    def __init__(self, tokenizer: Tokenizer, stop_ids: Iterable[int]) -> None:
        """
        Read the tokenizer; with 100,000 tokens it takes a second.

        Args:
            tokenizer: the model's.
            stop_ids: the tokens that end an answer.

        Raises:
            EngineError: if llguidance is not installed, or cannot read the tokenizer.
            ModelError: if nothing ends an answer.
        """
        try:
            import llguidance
            import llguidance.hf
        except ImportError as error:
            found = f"aligned decoding needs the library {error.name}, which is not installed"
            raise EngineError(found, 'install it: pip install "hanpuri[llm]"') from None
        ends = sorted(id for id in stop_ids if id < tokenizer.vocab_size) or [tokenizer.need_eos()]
        try:
            # Its slices are masks made beforehand for texts of any length, which no expression of ours holds.
            self.tokenizer = llguidance.hf.from_tokenizer(tokenizer.fast, eos_token=ends, slices=[])
        except ValueError as error:
            told = " ".join(str(error).split())
            raise EngineError(
                f"aligned decoding cannot read the tokenizer {tokenizer.name} ({told})",
                "take a model whose tokens are bytes or spell them out, as byte-level BPE and sentencepiece do",
            ) from None
        self.executor = llguidance.LLExecutor()
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="masks")

    def begin(self, expressions: Sequence[str]) -> "Masks":
        """Begin a batch: what each of its rows may write."""
        return Masks(self, expressions)

    def close(self) -> None:
        """End the thread."""
        self.worker.shutdown()


class Masks:
    """The rows of a batch on their way through their expressions. Made by `TokenMasks.begin`."""

    def __init__(self, masks: TokenMasks, expressions: Sequence[str]) -> None:
        self._made_by = masks
        self._open: dict[int, Any] = {}
        """The matcher of each row that has not ended."""
        width = -(-masks.tokenizer.vocab_size // BITS)
        self._bits: Bits = np.zeros((len(expressions), width), np.int32)
        self._next: Future[Bits] = masks.worker.submit(self._compile, expressions)

    def rule_out(self, input_ids: Any, scores: Any) -> Any:
        """Give the scores (B, V) of the next token, −∞ where it may not come."""
        import torch

        bits = torch.from_numpy(self._next.result()).to(scores.device)
        places = torch.arange(BITS, dtype=torch.int32, device=scores.device)
        allowed = (bits.unsqueeze(-1) >> places).bitwise_and_(1).bool().flatten(1)[:, : scores.shape[1]]
        # A model may have a few more rows of embeddings than there are tokens.
        scores[:, allowed.shape[1] :] = -torch.inf
        scores[:, : allowed.shape[1]].masked_fill_(~allowed, -torch.inf)
        return scores

    def look_ahead(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """
        Take the tokens that were chosen, and begin to work out what may follow them.

        transformers asks here which rows are done; this ends none.
        """
        import torch

        chosen = input_ids[:, -1].tolist()
        self._next = self._made_by.worker.submit(self._step, chosen)
        return torch.zeros(len(chosen), dtype=torch.bool, device=input_ids.device)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows of the batch only, in this order."""
        bits = self._next.result()[list(rows)]
        now = {row: place for place, row in enumerate(rows)}
        self._open = {now[row]: one for row, one in self._open.items() if row in now}
        self._bits = bits
        self._next = Future()
        self._next.set_result(bits)

    def _compile(self, expressions: Sequence[str]) -> Bits:
        from llguidance import LLMatcher

        for row, expression in enumerate(expressions):
            grammar = LLMatcher.grammar_from_regex(expression)
            self._open[row] = LLMatcher(self._made_by.tokenizer, grammar, log_level=0)
        return self._fill()

    def _step(self, chosen: Sequence[int]) -> Bits:
        from llguidance.numpy import consume_token_par

        if self._open:
            consume_token_par(self._made_by.executor, [(one, chosen[row]) for row, one in self._open.items()])
        return self._fill()

    def _fill(self) -> Bits:
        from llguidance.numpy import fill_next_token_bitmask_par

        if self._open:
            fill_next_token_bitmask_par(
                self._made_by.executor, [(one, row) for row, one in self._open.items()], self._bits
            )
        # A row that is whole keeps its last bits, the tokens that end it, whatever transformers writes behind.
        self._open = {row: one for row, one in self._open.items() if not one.is_stopped()}
        return self._bits
