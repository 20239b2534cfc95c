"""
A batch that was killed, or whose server went down, goes on where it was.

In: some hundred rows, a file of kept answers. Out: all answers; a row that had one is not asked again.
"""

import signal
import subprocess
import sys
import time

from hanpuri.engines.base import Decoding
from hanpuri.engines.cache import AnswerCache, answer_rows
from hanpuri.engines.opening import open_engine
from hanpuri.engines.settings import parse_engine
from tests.engines.servers import echo, fault, opened, rows_of, serving, slow

# A batch that is killed.

BATCH = """
import sys
from pathlib import Path
from hanpuri.engines.base import Decoding
from hanpuri.engines.cache import AnswerCache, answer_rows
from hanpuri.engines.opening import open_engine
from hanpuri.engines.settings import parse_engine

rows = [{"instruction": f"{place}번 방은 어떤가요?", "input": ""} for place in range(300)]
with open_engine(parse_engine(f"openai:{sys.argv[1]}#tiny")) as engine:
    for answer in answer_rows(engine, rows, Decoding(batch_size=4), cache=AnswerCache(Path(sys.argv[2]))):
        pass
"""


def test_a_killed_batch_goes_on_where_it_was(tmp_path):
    path = tmp_path / "answers.jsonl"
    with serving(slow(0.005, echo)) as server:
        batch = subprocess.Popen([sys.executable, "-c", BATCH, server.address, path])
        while len(server.asked) < 120 and batch.poll() is None:
            time.sleep(0.01)
        batch.send_signal(signal.SIGKILL)
        assert batch.wait() == -signal.SIGKILL
        cache = AnswerCache(path)
        num_kept = len(cache)
        assert 64 <= num_kept < 300
        server.asked.clear()
        with open_engine(parse_engine(f"openai:{server.address}#tiny")) as engine:
            answers = list(answer_rows(engine, rows_of(300), Decoding(batch_size=4), cache=cache))
    assert [answered.text for answered in answers] == [row["instruction"] for row in rows_of(300)]
    assert len(server.asked) == 300 - num_kept


def test_a_batch_whose_server_went_down_goes_on_when_it_is_back(tmp_path):
    rows, decoding = rows_of(64), Decoding(batch_size=2)
    with serving(*[echo] * 40, fault(500)) as server, opened(server, "server.max_lost=2") as engine:
        first = list(answer_rows(engine, rows, decoding, cache=AnswerCache(tmp_path / "kept.jsonl")))
        num_failed = sum(bool(answered.failure) for answered in first)
        assert num_failed == 24
        server.acts = [echo]
        server.asked.clear()
        second = list(answer_rows(engine, rows, decoding, cache=AnswerCache(tmp_path / "kept.jsonl")))
    assert [answered.text for answered in second] == [row["instruction"] for row in rows]
    assert len(server.asked) == num_failed
