"""
PostgreSQL for a test: a real server, reached by a socket in its own folder; on demand it writes through to the disk.

In: the programs of Debian's package. Out: a Postgres that gives URLs of empty databases, and that can be killed and
started again. It refuses to run as root, so that root starts it as the user that the package made.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

START_SECONDS = 30
USER = "postgres"


class Postgres:
    """A server in a folder."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self.folder, self.durable = folder, durable
        self.process: subprocess.Popen[bytes] | None = None
        self.count = 0
        options = ["--auth=trust", f"--username={USER}", "--encoding=UTF8", "--locale=C", "--no-sync"]
        self._run("initdb", "-D", str(folder / "data"), *options).check_returncode()

    def start(self) -> None:
        """Start it, and wait until it answers; after a kill, what is left of the old one may have to end first."""
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < end, (self.folder / "log").read_text()
            if self.process is None or self.process.poll() is not None:
                self.process = self._popen("postgres", "-D", str(self.folder / "data"), *self._options())
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill it at once: nothing is written any more, no client is told."""
        self._signal(signal.SIGKILL)
        assert self.process
        self.process.wait()

    def pause(self) -> None:
        """Let it stand still: it answers nobody, and tells nobody so."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it without ado."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def new_database(self) -> str:
        """Make an empty database, and give its URL."""
        self.count += 1
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE feedback_{self.count}")
        return f"postgresql://{USER}:secret-of-a-test@/feedback_{self.count}?host={self.folder}"

    def _options(self) -> list[str]:
        told = {"listen_addresses": "", "unix_socket_directories": str(self.folder)}
        if not self.durable:
            told |= {"fsync": "off", "synchronous_commit": "off"}
        return [part for key, value in told.items() for part in ("-c", f"{key}={value}")]

    def _conninfo(self, name: str) -> str:
        return f"host={self.folder} user={USER} dbname={name}"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._conninfo("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _signal(self, sign: signal.Signals) -> None:
        assert self.process
        parent = self.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for pid in (parent, *map(int, children)):
            with suppress(ProcessLookupError):  # the process of a connection that was just closed
                os.kill(pid, sign)

    def _told(self) -> dict[str, object]:
        return {"cwd": self.folder, "user": USER if os.geteuid() == 0 else None}

    def _run(self, program: str, *options: str) -> subprocess.CompletedProcess[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.run(
                [program_path(program), *options], stdout=log, stderr=log, check=False, **self._told()
            )

    def _popen(self, program: str, *options: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen([program_path(program), *options], stdout=log, stderr=log, **self._told())


def program_path(name: str) -> str:
    """Find a program of PostgreSQL; Debian keeps them beside each other, by version."""
    found = shutil.which(name) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    assert found, f"found no {name}, which PostgreSQL has: install it (apt install postgresql)"
    return found


@contextmanager
def running_postgres(*, durable: bool) -> Iterator[Postgres]:
    """Start a server, and leave nothing of it; one that is not durable is quicker, and not to be killed."""
    # Under /tmp: the path of a socket may have some 100 characters, and pytest's folders let no other user in.
    folder = Path(tempfile.mkdtemp(prefix="hanpuri-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, USER)
    server = None
    try:
        server = Postgres(folder, durable=durable)
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder)
