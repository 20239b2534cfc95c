"""What people said is kept as it was said, in SQLite and in PostgreSQL: once, for good, no longer than they like."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.errors import EngineError
from hanpuri.serving.feedback.database import LOCK_SECONDS, parse_url
from hanpuri.serving.feedback.said import Correction, Vote, is_sound, normal
from hanpuri.serving.feedback.store import FeedbackStore, open_store

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def correction(**told) -> Correction:
    usual = {"noisy": "쟈근 빵", "restored": "작은 빵", "corrected": "작은 방", "consent": True}
    return Correction(**usual | told)


def vote(**told) -> Vote:
    usual = {"noisy": "쟈근 빵", "left": "작은 방", "right": "작은 빵", "left_model": "base", "right_model": "small"}
    return Vote(**usual | {"choice": "left", "consent": False} | told)


@pytest.fixture
def store(url) -> Iterator[FeedbackStore]:
    with open_store(url) as store:
        yield store


@pytest.mark.parametrize(
    "said",
    [
        correction(),
        # all that may be missing is; and all that may be there is
        correction(corrected=None, accepted=True),
        correction(accepted=False, model="base", visitor="a1", version="0.1.0", time=NOON),
        vote(),
        # a model may have said nothing
        vote(left="", visitor="a1", choice="neither"),
        # signs that SQL, JSON or a table knows; and what does not fit into 16 bits
        correction(noisy="'; DROP TABLE x; -- %s :a \\ \" {} \r\n\t", corrected="👨‍👩‍👧 \u202e\ufeff\U0010ffff"),
    ],
)
def test_what_was_said_comes_back_as_it_was(store, said):
    assert store.find(said.id) is None
    assert store.add(said) == "stored"
    assert store.find(said.id) == said
    assert list(store.each(type(said))) == [said]


def test_the_same_again_is_kept_once_and_another_row_does_not_take_its_place(store):
    one = correction()
    assert store.add(one) == "stored"
    assert store.add(replace(one, time=NOON, version="9")) == "again"
    assert store.add(replace(one, corrected="작은 밤")) == "taken"
    assert store.add(vote(id=one.id)) == "taken"
    assert [*store.each(Correction), *store.each(Vote)] == [one]


def test_the_same_from_many_at_once_is_kept_once(store):
    one, gate = correction(), threading.Barrier(6)

    def add(_):
        gate.wait()
        return store.add(one)

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(add, range(6))) == ["again"] * 5 + ["stored"]
    assert list(store.each(Correction)) == [one]


def test_what_is_deleted_is_gone_and_unknown_ids_are_not_found(store):
    one, other, kept = correction(), vote(), correction()
    for said in (one, other, kept):
        store.add(said)
    assert store.delete([one.id, other.id, uuid4()]) == {one.id, other.id}
    assert store.delete([one.id]) == set()
    assert [*store.each(Correction), *store.each(Vote)] == [kept]


def test_rows_come_in_the_order_in_which_they_were_kept_and_only_those_asked_for(store):
    times = [NOON + timedelta(seconds=second) for second in (2, 0, 1)]
    rows = [correction(time=time, consent=second > 0) for second, time in zip((2, 0, 1), times, strict=True)]
    for row in rows:
        store.add(row)
    last, first, middle = rows
    assert list(store.each(Correction)) == [first, middle, last]
    assert list(store.each(Correction, since=times[2])) == [middle, last]
    assert list(store.each(Correction, consented=True)) == [middle, last]
    assert [store.count(Correction, consent=consent) for consent in (True, False)] == [2, 1]
    assert store.count(Correction, since=times[2], consent=False) == 0


def test_rows_of_one_text_come_together_in_the_order_that_python_has(store):
    texts = ["나", "a", "가", "B", "나", "\U0001f600", "\uffff", "é", "가 ", "가"]
    for second, text in enumerate(texts):
        store.add(correction(noisy=text, time=NOON + timedelta(seconds=second)))
    found = list(store.each(Correction, by_text=True))
    assert [one.noisy for one in found] == sorted(texts)
    assert [one.time.second for one in found if one.noisy == "가"] == [2, 9]


TEXTS = st.text(min_size=1, max_size=200).filter(is_sound).map(normal)


@pytest.fixture(scope="module")
def stores(new_database) -> Iterator[list[FeedbackStore]]:
    with ExitStack() as open_ones:
        yield [open_ones.enter_context(open_store(new_database(kind))) for kind in ("sqlite", "postgresql")]


@settings(deadline=None, max_examples=40)
@given(noisy=TEXTS, restored=TEXTS, corrected=TEXTS | st.none(), visitor=TEXTS.map(lambda text: text[:64]) | st.none())
def test_any_text_that_is_sound_comes_back_as_it_was(stores, noisy, restored, corrected, visitor):
    said = correction(noisy=noisy, restored=restored, corrected=corrected, visitor=visitor)
    for store in stores:
        assert (store.add(said), store.find(said.id)) == ("stored", said)


# --- SQLite's file


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "feedback.db"


def bytes_of(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()))


def test_no_text_that_was_deleted_stays_in_the_files_of_sqlite(path):
    secret = "아무도 모르는 이야기 " * 500  # over several pages
    with open_store(f"sqlite:///{path}") as store:
        one = correction(noisy=secret)
        for said in (correction(), one, correction()):
            store.add(said)
        assert "아무도 모르는".encode() in bytes_of(path)
        store.delete([one.id])
        assert "아무도 모르는".encode() not in bytes_of(path)


def test_a_file_that_was_taken_away_is_not_written_to_any_more_and_used_again_when_it_is_back(path):
    with open_store(f"sqlite:///{path}") as store:
        store.add(correction(noisy="1"))
        store.database.forget()  # all is in the file itself, as in a backup
        kept = path.rename(path.with_name("kept.db"))
        with pytest.raises(EngineError) as caught:
            store.add(correction(noisy="2"))
        assert caught.value.message == f"sqlite:///{path}: unable to open database file"
        assert not path.exists()
        for journal in path.parent.glob("feedback.db-*"):
            journal.unlink()
        shutil.copy(kept, path)
        assert store.add(correction(noisy="3")) == "stored"
    with open_store(f"sqlite:///{path}") as store:
        assert [one.noisy for one in store.each(Correction)] == ["1", "3"]


def test_who_deletes_while_others_read_does_not_wait_for_them(path):
    with open_store(f"sqlite:///{path}") as store:
        for number in range(3):
            store.add(correction(noisy=str(number)))
        reading = store.each(Correction)
        first = next(reading)
        before = time.monotonic()
        assert store.delete([first.id]) == {first.id}
        assert store.add(correction(noisy="3")) == "stored"
        assert time.monotonic() - before < LOCK_SECONDS / 2
        assert [one.noisy for one in reading] == ["1", "2"]
        assert [one.noisy for one in store.each(Correction)] == ["1", "2", "3"]


def test_the_file_and_its_journal_are_their_owners_alone(path):
    before = os.umask(0)
    try:
        with open_store(f"sqlite:///{path}") as store:
            store.add(correction())
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["feedback.db", "feedback.db-wal", "feedback.db-shm"], 0o600)


def test_what_is_acknowledged_is_on_the_disk(path):
    with open_store(f"sqlite:///{path}") as store, store.database.reading() as connection:
        told = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    assert told == ["wal", 2]


def test_many_processes_write_into_one_file_at_once(path):
    program = (
        "import sys\n"
        "from hanpuri.serving.feedback.said import Correction\n"
        "from hanpuri.serving.feedback.store import open_store\n"
        "with open_store(sys.argv[1]) as store:\n"
        "    for number in range(40):\n"
        "        said = Correction(noisy=f'{sys.argv[2]} {number}', restored='가', consent=True)\n"
        "        assert store.add(said) == 'stored'\n"
    )
    url = f"sqlite:///{path}"
    processes = [
        subprocess.Popen([sys.executable, "-c", program, url, str(number)], stderr=subprocess.PIPE)
        for number in range(3)
    ]
    assert [process.communicate()[1] for process in processes] == [b""] * 3
    with open_store(url) as store:
        found = [one.noisy for one in store.each(Correction)]
    assert sorted(found) == sorted(f"{process} {number}" for process in range(3) for number in range(40))


# --- what cannot be opened


@pytest.mark.parametrize(
    ("url", "message"),
    [
        # what is none, with what may be a password in it
        ("feedback.db", "the database is given as what is no URL"),
        ("postgresql://me:1234@host:port/name", "the database is given as what is no URL"),
        ("mysql://me:1234@host/name", "found a database of the kind 'mysql'"),
        # where nothing would stay
        ("sqlite://", "sqlite:///: found no plain path to a file, where feedback would stay"),
        ("sqlite:///:memory:", "sqlite:///:memory:: found no plain path to a file, where feedback would stay"),
        ("sqlite:///a%00.db", "sqlite:///a\0.db: found no plain path to a file, where feedback would stay"),
        ("sqlite:///a.db?mode=memory", "sqlite:///a.db: found no plain path to a file, where feedback would stay"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused(url, message):
    with pytest.raises(EngineError) as caught, open_store(url):
        pass
    assert caught.value.message == message
    assert caught.value.mend == "expected sqlite:///feedback.db or postgresql://user@host/name"


def test_no_part_of_a_password_with_an_at_sign_is_taken_for_a_host():
    with pytest.raises(EngineError) as caught, open_store("postgresql://me:12@34@db/name"):
        pass
    mend = "write an @ within a user or a password as %40"
    assert str(caught.value) == f"the database's URL holds more than one @; {mend}"
    assert parse_url("postgresql://me:12%4034@db/name").password == "12@34"


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(EngineError) as caught, open_store(f"sqlite:///{tmp_path}/none/a.db"):
        pass
    assert str(caught.value) == (
        f"sqlite:///{tmp_path}/none/a.db: the file cannot be made: No such file or directory; "
        "name a file in a folder that is there and may be written to"
    )


@pytest.fixture
def powerless():
    """A folder in which little may be done, and a user for whom that counts: root becomes nobody."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        (Path(name) / "read-only.db").touch(0o444)
        (Path(name) / "closed").mkdir(0o000)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65_534)
        try:
            yield name
        finally:
            if is_root:
                os.seteuid(0)
            (Path(name) / "closed").chmod(0o700)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (
            "closed/a.db",
            "the file cannot be made: Permission denied; name a file in a folder that is there and may be ",
        ),
        (f"{'a' * 300}.db", "the file cannot be made: File name too long; name a file in a folder that is there and "),
        ("read-only.db", "the file may not be written to; see whose it is, and its mode"),
    ],
)
def test_what_may_not_be_done_with_a_file_is_said_when_it_is_opened(powerless, file, message):
    with pytest.raises(EngineError) as caught, open_store(f"sqlite:///{powerless}/{file}"):
        pass
    assert str(caught.value).startswith(f"sqlite:///{powerless}/{file}: {message}")


def test_another_file_is_not_taken_for_a_database(path):
    path.write_text("확잠실읾" * 1000, encoding="utf-8")
    with pytest.raises(EngineError) as caught, open_store(f"sqlite:///{path}"):
        pass
    assert str(caught.value) == f"sqlite:///{path}: file is not a database; see that the database is there"


def test_a_file_that_others_hold_locked_is_said_and_not_waited_for_without_end(path, monkeypatch):
    monkeypatch.setattr("hanpuri.serving.feedback.database.LOCK_SECONDS", 0.1)
    with open_store(f"sqlite:///{path}") as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(EngineError) as caught:
            store.add(correction())
        other.close()
        assert caught.value.message == f"sqlite:///{path}: database is locked"
        assert store.add(correction()) == "stored"


def test_a_server_that_is_not_there_is_said_without_its_password(tmp_path):
    url = f"postgresql://me:1234@/name?host={tmp_path}&password=1234"
    with pytest.raises(EngineError) as caught, open_store(url):
        pass
    assert caught.value.message.startswith("postgresql://me:***@/name: connection")
    assert "1234" not in str(caught.value)


def test_no_fault_of_the_database_repeats_a_text(store):
    with store.database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE hanpuri_corrections")
    with pytest.raises(EngineError) as caught:
        store.add(correction(noisy="비밀", id=uuid4()))
    assert "비밀" not in str(caught.value)
    assert "hanpuri_corrections" in str(caught.value)


def test_a_driver_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(EngineError) as caught, open_store("postgresql://me:1234@host/name"):
        pass
    assert str(caught.value) == (
        'postgresql://me:***@host/name: found no psycopg, which speaks to PostgreSQL; pip install "hanpuri[postgres]"'
    )
