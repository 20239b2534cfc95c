"""Tables are brought up to date from every step, by one process at a time, and never by a hanpuri that is too old."""

import shutil
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from hanpuri.errors import EngineError
from hanpuri.serving.feedback.database import open_database
from hanpuri.serving.feedback.migrating import STEPS, migrate, names_of, pending
from hanpuri.serving.feedback.said import Correction, Vote
from hanpuri.serving.feedback.store import FeedbackStore, open_store
from hanpuri.serving.feedback.tables import METADATA, TABLES, VERSION_TABLE

# A step as a later hanpuri may have it: it fills a new column of what is there.
LATER = """
import sqlalchemy as sa
from alembic import op

revision = "r9999_stars"
down_revision = "{last}"


def upgrade():
    op.add_column("hanpuri_votes", sa.Column("stars", sa.Integer()))
    op.execute("UPDATE hanpuri_votes SET stars = 5")
"""
SAID = (
    Correction(noisy="쟈근 빵", restored="작은 빵", corrected="작은 방", consent=True),
    Vote(noisy="쟈근", left="작은", right="자근", left_model="a", right_model="b", choice="left", consent=True),
)


@pytest.fixture
def database(url):
    with open_database(url) as database:
        yield database


@pytest.fixture
def later(tmp_path):
    """The steps of a later hanpuri."""
    steps = shutil.copytree(STEPS, tmp_path / "migrations")
    (steps / "r9999_stars.py").write_text(LATER.format(last=names_of()[-1]), encoding="utf-8")
    return steps


def test_the_steps_stand_behind_each_other_in_the_order_of_their_names():
    scripts = [*ScriptDirectory(STEPS, version_locations=[STEPS]).walk_revisions()][::-1]
    assert [script.revision for script in scripts] == names_of()
    assert [script.down_revision for script in scripts] == [None, *names_of()[:-1]]
    assert max(map(len, names_of())) <= 32  # the width of the column that holds one


@pytest.mark.parametrize("step", [None, *names_of()])
def test_from_every_step_the_tables_become_those_that_the_code_knows(database, tmp_path, step):
    known = names_of()[: names_of().index(step) + 1] if step else []
    (tmp_path / "old").mkdir()
    for name in known:
        shutil.copy(STEPS / f"{name}.py", tmp_path / "old")
    if known:
        assert migrate(database, tmp_path / "old") == known
    rest = names_of()[len(known) :]
    assert pending(database) == rest
    assert migrate(database) == rest
    assert migrate(database) == []
    with database.reading() as connection:
        # Tables of others, which a company may have in the same database, are none of our business.
        told = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=told), METADATA) == []
        checks = inspect(connection).get_check_constraints("hanpuri_votes")
        assert [check["name"] for check in checks] == ["hanpuri_votes_choice"]


def test_what_was_kept_before_a_step_is_there_behind_it(database, later):
    migrate(database)
    store = FeedbackStore(database)
    for said in SAID:
        assert store.add(said) == "stored"
    assert migrate(database, later) == ["r9999_stars"]
    assert [store.find(said.id) for said in SAID[:1]] == [*SAID[:1]]
    with database.reading() as connection:
        assert connection.scalar(text("SELECT stars FROM hanpuri_votes")) == 5


def test_a_step_that_fails_leaves_all_as_it_was(database, later):
    broken = later / "r9999_stars.py"
    broken.write_text(broken.read_text() + '    op.execute("no SQL")\n', encoding="utf-8")
    with pytest.raises(EngineError):
        migrate(database, later)
    with database.reading() as connection:
        assert inspect(connection).get_table_names() == []
    assert pending(database, later) == names_of(later)


def test_a_database_of_a_newer_hanpuri_is_refused_and_not_touched(url, later):
    with open_database(url) as database:
        migrate(database, later)
        place = database.place
    for make in (True, False):
        with pytest.raises(EngineError) as caught, open_store(url, make=make):
            pass
        assert str(caught.value) == (
            f"{place}: its tables were written by a newer hanpuri (r9999_stars), this one knows {names_of()[-1]}; "
            "install that hanpuri, or give another --database"
        )


def test_who_only_reads_makes_no_tables(url):
    with open_database(url):  # a file of SQLite is there, and empty
        pass
    with pytest.raises(EngineError) as caught, open_store(url, make=False):
        pass
    assert caught.value.message.endswith("found no tables of this hanpuri's, or older ones")
    assert caught.value.mend == "run `hanpuri feedback migrate` with the same --database"
    with open_database(url) as database:
        assert pending(database) == names_of()


def test_who_only_reads_makes_no_file(tmp_path):
    with pytest.raises(EngineError) as caught, open_store(f"sqlite:///{tmp_path}/none.db", make=False):
        pass
    assert str(caught.value) == (
        f"sqlite:///{tmp_path}/none.db: found no such file; give the --database that the service was started with"
    )
    assert list(tmp_path.iterdir()) == []


def test_several_processes_that_start_at_once_make_the_tables_once(url):
    program = (
        "import sys\n"
        "from hanpuri.serving.feedback.database import open_database\n"
        "from hanpuri.serving.feedback.migrating import migrate\n"
        "import alembic.migration, alembic.operations, alembic.script\n"
        "print(flush=True); sys.stdin.readline()\n"
        "with open_database(sys.argv[1]) as database:\n"
        "    print(migrate(database))\n"
    )
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", program, url]
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    for process in processes:
        process.stdout.readline()  # all have loaded what they need
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [process.communicate() for process in processes]
    assert [errors for _, errors in ends] == [""] * 2
    assert sorted(out for out, _ in ends) == sorted(["[]\n", f"{names_of()}\n"])
    with open_database(url) as database, database.reading() as connection:
        assert connection.scalar(text(f"SELECT count(*) FROM {VERSION_TABLE}")) == 1


def test_a_start_with_tables_that_are_up_to_date_loads_no_alembic(tmp_path):
    url = f"sqlite:///{tmp_path}/feedback.db"
    program = (
        "import sys\n"
        "from hanpuri.serving.feedback.store import open_store\n"
        "with open_store(sys.argv[1]):\n"
        "    print('alembic' in sys.modules)\n"
    )
    runs = [subprocess.run([sys.executable, "-c", program, url], capture_output=True, text=True) for _ in range(2)]
    assert [run.stdout + run.stderr for run in runs] == ["True\n", "False\n"]


def test_every_table_is_of_one_kind_of_feedback():
    assert {table.name for table in TABLES.values()} == set(METADATA.tables)
