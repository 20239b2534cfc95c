"""
Work on many batches side by side.

In: calls. Out: all of them made, or the error of the first that fails.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hanpuri.data.preparation.workers import Call, Workers
from hanpuri.errors import DataError


def touch(path: Path) -> None:
    path.write_text(str(os.getpid()))


def fail(path: Path) -> None:
    raise DataError(f"{path}:1: found nothing", "write something")


def kill_yourself(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def touch_late(path: Path) -> None:
    time.sleep(0.05)
    touch(path)


def test_one_process_makes_the_calls_in_order_and_each_only_when_the_one_before_is_done():
    log: list[str] = []

    def calls() -> Iterator[Call]:
        for number in range(5):
            log.append(f"ask {number}")
            yield log.append, (f"make {number}",)

    told: list[int] = []
    with Workers(1) as workers:
        workers.run(calls(), told.append)
    assert [entry for entry in log if entry.startswith("make")] == [f"make {number}" for number in range(5)]
    assert log.index("make 1") < log.index("ask 3")  # two are looked at ahead, to see whether processes are worth it
    assert told == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("num_calls", [0, 1])
def test_no_process_is_started_for_a_single_call(num_calls):
    made: list[int] = []
    with Workers(2) as workers:
        workers.run([(made.append, (os.getpid(),))] * num_calls)
    assert made == [os.getpid()] * num_calls  # a list of ours would not be filled by another process


def test_several_processes_make_every_call_and_are_kept_for_the_next_ones(tmp_path):
    asked_ahead: list[int] = []
    told: list[int] = []

    def calls() -> Iterator[Call]:
        for number in range(12):
            asked_ahead.append(number - len(list(tmp_path.glob("*"))))
            yield touch_late, (tmp_path / f"{number:02}",)

    with Workers(2) as workers:
        workers.run(calls(), told.append)
        workers.run([(touch, (tmp_path / "99",)), (touch, (tmp_path / "98",))])
    assert [path.name for path in sorted(tmp_path.glob("*"))] == [*(f"{number:02}" for number in range(12)), "98", "99"]
    assert len({path.read_text() for path in tmp_path.glob("*")} | {str(os.getpid())}) in (2, 3)
    assert told == sorted(set(told))
    assert told[-1] == 12
    assert max(asked_ahead) <= 3  # as many as work, and one that waits: memory does not grow with the data


@pytest.mark.parametrize("processes", [1, 2])
def test_a_call_that_fails_ends_the_others_with_its_own_error(processes, tmp_path):
    calls = [(fail if number == 1 else touch_late, (tmp_path / str(number),)) for number in range(100)]
    with pytest.raises(DataError) as caught, Workers(processes) as workers:
        workers.run(calls)
    assert str(caught.value) == f"{tmp_path / '1'}:1: found nothing; write something"
    assert caught.value.mend == "write something"
    assert len(list(tmp_path.glob("*"))) < 10


def test_a_fault_in_what_is_read_ends_the_calls_too(tmp_path):
    def calls() -> Iterator[Call]:
        for number in range(3):
            yield touch, (tmp_path / str(number),)
        raise DataError("reviews.csv:4: found no text", "fill it in")

    with pytest.raises(DataError) as caught, Workers(2) as workers:
        workers.run(calls())
    assert str(caught.value) == "reviews.csv:4: found no text; fill it in"


def test_a_process_that_is_killed_is_said_to_be(tmp_path):
    calls = [(kill_yourself if number == 2 else touch_late, (tmp_path / str(number),)) for number in range(9)]
    with pytest.raises(DataError) as caught, Workers(2) as workers:
        workers.run(calls)
    assert str(caught.value) == (
        "a process that worked on a batch was ended from outside, most often for want of memory; "
        "run it again with --processes 1: it goes on where it was"
    )


def test_as_many_processes_as_are_asked_for_or_as_there_are_processors(monkeypatch):
    assert Workers(3).processes == 3
    assert Workers().processes == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS and Windows
    assert Workers(3).processes == 3
    assert Workers().processes == os.cpu_count()
