"""
Restoring for many at a time: what a service gives is what the library gives, whoever asks beside.

In: texts of several requests at once, the shipped models and engines. Out: the texts of `Restorer.restore`, in order;
or a fault that says why not.
"""

import asyncio
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.restoring.phrases import Phrases
from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.engines.base import Answer
from hanpuri.engines.echo import EchoEngine
from hanpuri.errors import DataError, EngineError, ModelError, RecipeError
from hanpuri.serving.engines import ServedEngine, open_engines
from hanpuri.serving.faults import ServiceFault
from hanpuri.serving.restoring.asking import can_restore
from hanpuri.serving.restoring.restored import of_compact
from hanpuri.serving.restoring.restorers import Edit, Restorers, open_restorers
from hanpuri.serving.settings import Limits, ServiceSettings
from hanpuri.serving.watching.metrics import Counters

NOISY = ("확잠실읾 념뭄 잙앙욤", "뷰갸 녀뮤 좋핬써욘 😀", "빵 옌 냄쌔")
LONG = "살짱뉨위 친졀학껙 " * 80


class Opened:
    """Restorers that are open, and the loop that they live in."""

    def __init__(self, runner: asyncio.Runner, restorers: Restorers) -> None:
        self.run, self.restorers = runner.run, restorers

    def restore(self, *requests: Sequence[str], **told: object):
        """Restore the texts of several requests at a time."""

        async def together():
            return await asyncio.gather(*(self.restorers.restore(texts, **told) for texts in requests))

        return self.run(together())


@contextmanager
def opened(folder: Path, engines: dict[str, ServedEngine] | None = None, **told: object) -> Iterator[Opened]:
    engines = engines or {}
    names = tuple(f"{name}=echo" for name in engines)
    told_settings = ServiceSettings.model_validate({"threads": 2, "engines": names, **told})
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        entered = stack.enter_async_context(open_restorers(told_settings, engines, Counters(folder)))
        restorers = runner.run(entered)
        try:
            yield Opened(runner, restorers)
        finally:
            runner.run(stack.aclose())


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> Iterator[Opened]:
    """Both shipped models."""
    with opened(tmp_path_factory.mktemp("both")) as one:
        yield one


@pytest.fixture(scope="module")
def library() -> Restorer:
    return Restorer("small", threads=1)


@pytest.fixture(scope="module")
def wide_library() -> Restorer:
    return Restorer("small", threads=1, reach="wide")


texts = st.lists(
    st.one_of(
        st.sampled_from((*NOISY, "", "   ", LONG, "WiFi 20MB", "ᄒᆞᆫ글", "\u0958" * 5, "a" + "\u0301\u0323" * 40)),
        st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), max_size=20),
        st.text(max_size=20),
    ),
    max_size=6,
)


@settings(max_examples=15)
@given(st.lists(texts, min_size=1, max_size=5), st.integers(0, 3))
def test_every_request_gets_what_the_library_gives(both, library, requests, alternatives):
    found = both.restore(*requests, model="small", alternatives=alternatives)
    for given_texts, restored in zip(requests, found, strict=True):
        expected = library.restore(given_texts, alternatives=alternatives)
        assert restored == [of_compact(one) for one in expected]


HIDDEN = "ㄱr격二 녀뮤 비싸욘 ✧ ♤ ≥ㅁ≤"


@settings(max_examples=10)
@given(texts, st.sampled_from(("", HIDDEN, "ㅎㅏㄴ *" * 300)), st.integers(0, 3))
def test_a_wide_reach_gives_what_the_library_gives(both, wide_library, some, hidden, alternatives):
    (found,) = both.restore([*some, hidden], model="small", alternatives=alternatives, reach="wide")
    expected = wide_library.restore([*some, hidden], alternatives=alternatives)
    assert found == [of_compact(one) for one in expected]


def test_a_language_model_has_no_wide_reach(tmp_path):
    with open_engines(["copy=echo"], 10) as engines, opened(tmp_path, dict(engines), models=()) as one:
        with pytest.raises(ServiceFault) as raised:
            one.restore([HIDDEN], model="copy", reach="wide")
        assert (raised.value.status, raised.value.mend) == (
            422,
            "leave reach out, or name another model of GET /v1/models",
        )


def test_the_first_model_answers_where_none_is_asked_for(both):
    ((restored,),) = both.restore([NOISY[0]])
    assert both.restorers.default == "base"
    assert restored.text == "화장실이 너무 작아요"
    assert restored.edits[0][:3] == (0, "확", "화")
    assert both.restorers.names == ("base", "small")


def test_a_single_review_does_not_wait_for_the_end_of_hundreds(both):
    async def race() -> tuple[float, float]:
        start = time.perf_counter()
        bulk = asyncio.ensure_future(both.restorers.restore(list(NOISY) * 200, model="small"))
        await asyncio.sleep(0.02)
        begun = time.perf_counter()
        await both.restorers.restore([NOISY[0]], model="small")
        waited = time.perf_counter() - begun
        await bulk
        return waited, time.perf_counter() - start

    waited, whole = both.run(race())
    assert waited < whole / 3


def test_a_text_of_thousands_of_characters_takes_turns_too(both):
    async def race() -> list[str]:
        ended: list[str] = []

        async def restore(who: str, text: str) -> None:
            await both.restorers.restore([text], model="small")
            ended.append(who)

        long = [asyncio.ensure_future(restore("long", LONG * 4)) for _ in range(2)]  # one for each thread
        await asyncio.sleep(0.03)
        await asyncio.gather(*long, restore("short", NOISY[0]))
        return ended

    assert len(LONG * 4) > 2_500
    assert both.run(race()) == ["short", "long", "long"]


def test_the_event_loop_is_free_while_much_is_restored(both):
    async def watch() -> float:
        bulk = asyncio.ensure_future(
            both.restorers.restore([LONG, "\u0301" * 5_000 + "\u0323" * 5_000] * 2, model="small")
        )
        # The processor's time, as the machine may have more to do.
        longest, before = 0.0, time.process_time()
        while not bulk.done():
            await asyncio.sleep(0)
            now = time.process_time()
            longest, before = max(longest, now - before), now
        return longest

    # A text of marks in disorder would take 0.2 each time.
    assert any(both.run(watch()) < 0.12 for _ in range(4))


# --- what is refused


def refused(status: int, message: str, mend: str) -> "pytest.RaisesExc[ServiceFault]":
    return pytest.raises(ServiceFault, match=f"^{re.escape(f'{message}; {mend}')}$", check=lambda e: e.status == status)


@pytest.mark.parametrize(
    ("model", "mend"),
    [
        ("smal", "did you mean small?"),
        # what a client sent is not repeated: it may be a text
        ("비밀 이야기", "see /v1/models for what there is"),
        ("", "see /v1/models for what there is"),
        ("../base", "did you mean base?"),
    ],
)
def test_an_unknown_model_is_refused(both, model, mend):
    with refused(404, "model: found no such model, expected one of base, small", mend):
        both.restore(["방"], model=model)


def test_too_many_texts_and_too_long_ones_are_refused(both):
    with refused(422, "texts: found 1,001 texts, expected 1,000 at most", "send them in several requests"):
        both.restore(["방"] * 1_001)
    message = "text 2: found 10,001 characters, expected 10,000 at most"
    with refused(422, message, "cut it into several texts"):
        both.restore(["방", "가" * 10_001])


def test_a_model_that_is_not_there_is_found_at_the_start(tmp_path):
    with pytest.raises(ModelError, match=r"^no model is called 'bas'; there are small, base; did you mean base\?$"):
        opened(tmp_path, models=("bas",)).__enter__()


def test_two_models_of_one_name_are_found_at_the_start(tmp_path):
    with pytest.raises(RecipeError, match=r"^two models are called base; name one of them: other=small$"):
        opened(tmp_path, models=("base", "base=small")).__enter__()


def test_a_model_goes_by_the_name_that_it_is_given(tmp_path):
    with opened(tmp_path, models=("tiny=small",)) as one:
        assert one.restorers.names == ("tiny",)
        assert one.restore([NOISY[0]], model="tiny")[0][0].text == "화장실이 너무 작아요"


def test_a_model_with_phrases_answers_as_the_library_does_whoever_helps(tmp_path):
    """Alone, a request is helped by a second thread, with a session of its own."""
    files = ModelFiles(tmp_path / "mine")
    shutil.copytree(ModelFiles.find("small").folder, files.folder)
    Phrases.count(["방 엔 냄새"] * 50).save(files.phrases)
    files.write_sums()
    plain, phrased = (Restorer(model).restore(NOISY, alternatives=3) for model in ("small", files.folder))
    assert plain != phrased
    with opened(tmp_path, models=(f"mine={files.folder}",)) as one:
        assert one.restore(NOISY, model="mine", alternatives=3) == [[of_compact(told) for told in phrased]]


# --- language models


class Told(EchoEngine):
    """An engine that answers as it is told."""

    def __init__(self, answer=None, *, seconds: float = 0.0) -> None:
        super().__init__("told")
        self.answer, self.seconds = answer, seconds

    def generate(self, rows, decoding=None, *, names=()):
        time.sleep(self.seconds)
        if isinstance(self.answer, Exception):
            raise self.answer
        return [self.answer or Answer(str(row["noisy"]), 1, finished=True) for row in rows]


@contextmanager
def served(folder: Path, engine: Told, **told: object) -> Iterator[Opened]:
    with open_engines(["told=echo"], 10) as engines:
        engines["told"].engine = engine
        with opened(folder, dict(engines), models=(), **told) as one:
            yield one


def test_a_language_model_restores_beside_compact_ones(tmp_path):
    with open_engines(["copy=echo"], 10) as engines, opened(tmp_path, dict(engines), models=("small",)) as one:
        assert one.restorers.names == ("small", "copy")
        ((restored,),) = one.restore(["\u1112\u116a확"], model="copy", alternatives=3)
        assert (restored.noisy, restored.text, restored.confidences) == ("화확", "화확", None)
        assert (restored.edits, restored.alternatives) == ((), {})


def test_an_answer_of_another_length_is_told_by_longer_edits(tmp_path):
    with served(tmp_path, Told(Answer("방이 좋습니다\ud800", 1, finished=True))) as one:
        ((restored,),) = one.restore(["방이 좋타"])
        assert restored.text == "방이 좋습니다?"  # no JSON can hold half a surrogate pair
        assert restored.edits == (Edit(3, "좋타", "좋습니다?", None),)


@pytest.mark.parametrize(
    ("answer", "status", "message", "mend", "logged"),
    [
        # its server's address is nobody's business, and its words may be a text
        (
            EngineError("http://10.0.0.7:8000/v1 refuses 방", "put a key into A"),
            503,
            "told does not answer",
            "come again later",
            ["told does not answer; put a key into A"],
        ),
        (
            Answer.failed("http://10.0.0.7: 503: 방", cause="the server answers 503"),
            503,
            "told gave no answer to 2 of 2 texts",
            "come again later",
            ["told gave no answer to 2 of 2 texts: the server answers 503"],
        ),
        (
            DataError("text 1: found 900 tokens, expected 512", "shorten it"),
            422,
            "text 1: found 900 tokens",
            "shorten it",
            [],
        ),
    ],
)
def test_a_language_model_that_fails_is_told_without_what_stands_behind_it_and_logged_without_a_text(
    tmp_path, answer, status, message, mend, logged, caplog
):
    with served(tmp_path, Told(answer)) as one, pytest.raises(ServiceFault) as caught:
        one.restore(["방", "밥"])
    assert caught.value.status == status
    assert caught.value.message.startswith(message)
    assert caught.value.mend.startswith(mend)
    assert (caught.value.retry_after is not None) == (status == 503)
    assert caplog.messages == logged


def test_a_language_model_that_takes_too_long_is_busy(tmp_path):
    limits = Limits(request_seconds=0.05)
    found = "told did not answer 1 text in 0.05 s"
    with (
        served(tmp_path, Told(seconds=0.2), limits=limits) as one,
        refused(429, found, "come again later, or send fewer texts"),
    ):
        one.restore(["방"])


def test_an_engine_that_was_trained_on_questions_does_not_restore(tmp_path):
    class Asked(Told):
        def prompt(self, row, name):
            raise DataError(f"{name}: found the fields noisy, expected instruction", "…")

    assert can_restore(Told())
    assert not can_restore(Asked())
    with (
        served(tmp_path, Asked()) as one,
        refused(404, "found no model that restores", "see /v1/models for what there is"),
    ):
        one.restore(["방"])


def test_a_service_of_compact_models_loads_no_heavy_library():
    program = (
        "import hanpuri.serving.app, sys; from hanpuri.serving.restoring.compact import CompactModel; "
        "CompactModel('small', 'small'); print(*{'torch', 'transformers', 'jinja2', 'httpx2'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "\n"
