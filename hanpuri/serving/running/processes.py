"""
Settings ─► a service that runs until it is told to end.

In: ServiceSettings, from `hanpuri serve`. Out: an exit code, 0 after ctrl-C or SIGTERM, once all that was accepted is
answered. One worker answers in this process; several do in processes of their own, of which a dead one is replaced.

    run_service(ServiceSettings(port=0), lambda running: print(running.url))   # http://127.0.0.1:41873
"""

import logging
import math
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection, socket
from types import FrameType
from typing import Any

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from hanpuri.compact.model_files import ModelFiles
from hanpuri.errors import EngineError, HanpuriError, RecipeError
from hanpuri.runs import count_usable_cpus
from hanpuri.serving.names import name_all
from hanpuri.serving.running.folders import shared_folder
from hanpuri.serving.running.lifetime import FOLDER, NUMBERS, SETTINGS, have_begun, take_fault
from hanpuri.serving.running.sockets import address_of, bind
from hanpuri.serving.settings import NO_DATABASE, ServiceSettings
from hanpuri.serving.watching.logs import LOGGER, log_settings

CREATE = "hanpuri.serving.app:create_from_environment"
BACKLOG = 2_048
"""Connections that the system keeps waiting while all workers are busy; it may hold less, see net.core.somaxconn."""
MOST_THREADS = 8
"""Of all workers together, for each processor: more take memory and each other's time."""
MAX_START_SECONDS = 60
"""How long new workers may take to be ready, when SIGHUP has them replace the old ones one by one."""

logger = logging.getLogger(LOGGER)
OnReady = Callable[["Running"], None]


@dataclass(frozen=True)
class Running:
    """A service that answers."""

    url: str
    pid: int
    settings: ServiceSettings


def run_service(settings: ServiceSettings, on_ready: OnReady = lambda running: None) -> int:
    """
    Run a service until it is told to end; the process is to end with it.

    Args:
        settings: what it is told.
        on_ready: called when it answers.

    Returns:
        The exit code of the process.

    Raises:
        HanpuriError: if the address cannot be had, or a model, an engine, the key file or the database not opened.
        KeyboardInterrupt: if it was told to end before it began.
    """
    _hear_signals(lambda: False)
    _check(settings)
    _take_all_files()
    with bind(settings.host, settings.port) as listening, shared_folder() as folder:
        running = Running(f"http://{address_of(listening)}", os.getpid(), settings)
        run = _run_here if settings.workers == 1 else _run_workers
        return run(settings, folder, listening, lambda: on_ready(running))


def _check(settings: ServiceSettings) -> None:
    """Look for what can be found wrong before a port is taken."""
    threads, most = settings.workers * (settings.threads or 1), MOST_THREADS * count_usable_cpus()
    if threads > most:
        found = f"found {threads:,} threads of all workers together, expected {most} at most here"
        raise RecipeError(found, "leave --threads out, and take no more --workers than there are processors")
    models, _ = name_all(settings.models, settings.engines)
    for model in models.values():
        ModelFiles.find(model)
    if settings.engines:
        from hanpuri.engines.places import check_place
        from hanpuri.serving.engines import parse_served

        for engine in settings.engines:
            check_place(parse_served(engine)[1])


def _run_here(settings: ServiceSettings, folder: Path, listening: socket, on_ready: Callable[[], None]) -> int:
    from hanpuri.serving.app import create_app  # only where it is served: it takes a second, and a hundred megabytes

    app = create_app(settings, folder)
    server = _Server(_configure(settings, app), on_ready)
    _hear_signals(lambda: server.should_exit)
    try:
        server.run([listening])
    except KeyboardInterrupt:
        if not server.should_exit:
            raise
    except SystemExit:  # so uvicorn says that the application was not opened
        if not server.should_exit:
            raise _fault(folder) from None
    return 0


def _run_workers(settings: ServiceSettings, folder: Path, listening: socket, on_ready: Callable[[], None]) -> int:
    if settings.database != NO_DATABASE:
        from hanpuri.serving.feedback.store import open_store

        with open_store(settings.database):
            pass  # its tables are brought up to date once, before any worker asks them
    numbers = folder / NUMBERS
    numbers.mkdir()
    os.environ |= {SETTINGS: settings.model_dump_json(), FOLDER: str(folder), "PROMETHEUS_MULTIPROC_DIR": str(numbers)}
    workers = _Workers(_configure(settings, CREATE, factory=True), listening, folder, on_ready)
    workers.run()
    if not workers.is_told:  # a worker could not begin, perhaps in the place of a dead one
        raise _fault(folder)
    return 0


def _configure(settings: ServiceSettings, app: Any, *, factory: bool = False) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=factory,
        workers=settings.workers,
        http="hanpuri.serving.running.connections:Connection",
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=log_settings(settings.log_format, settings.log_level),
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=settings.limits.idle_seconds,
        timeout_graceful_shutdown=math.ceil(settings.limits.shutdown_seconds),
        timeout_worker_healthcheck=MAX_START_SECONDS,
    )


class _Server(uvicorn.Server):
    """A server in this process, which says when it answers."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.on_ready = on_ready

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self.on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if not self.started:  # opening a large model may take a minute, and nobody waits for an answer yet
            raise KeyboardInterrupt


class _Workers(Multiprocess):
    """Worker processes, under uvicorn's supervisor; ours says when all of them answer, and clears up after the dead."""

    def __init__(self, config: uvicorn.Config, listening: socket, folder: Path, on_ready: Callable[[], None]) -> None:
        super().__init__(config, [listening])
        self.folder, self.on_ready = folder, on_ready
        self.is_ready, self.is_told = False, False
        self.pids: set[int | None] = set()

    def keep_subprocess_alive(self) -> None:
        """
        Replace the dead; called twice a second.

        uvicorn's own asks each worker for a sign of life, and is deaf to signals while it waits for that of a dead one.
        """
        for number, worker in enumerate(self.processes):
            if not worker.process.is_alive() and not self.should_exit.is_set():
                self._replace(number, worker)
        self._forget_dead()
        if not self.is_ready and not self.should_exit.is_set() and self._do_answer():
            self.is_ready = True
            self.on_ready()

    def _replace(self, number: int, dead: Process) -> None:
        dead.kill()  # which also closes what was open between it and us
        dead.join()
        if not self.is_ready:  # what could not begin once will not begin the next time
            self.should_exit.set()
            return
        why = take_fault(self.folder)
        logger.warning("worker %s is gone%s; another one takes its place", dead.pid, f" ({why})" if why else "")
        self.processes[number] = Process(self.config, self.sockets)
        self.processes[number].start()

    def _forget_dead(self) -> None:
        """Take what waits in a worker out of the numbers when it does not any more; what it counted stays."""
        pids = {worker.pid for worker in self.processes}
        for pid in self.pids - pids:
            mark_process_dead(pid, str(self.folder / NUMBERS))  # type: ignore[no-untyped-call]
        self.pids = pids

    def _do_answer(self) -> bool:
        if not have_begun(self.folder, self.pids):
            return False
        with suppress(OSError), create_connection(self.sockets[0].getsockname()[:2], timeout=1):
            return True
        return False

    def handle_int(self) -> None:
        """End, as told."""
        self.is_told = True
        super().handle_int()

    def handle_term(self) -> None:
        """End, as told."""
        self.is_told = True
        super().handle_term()

    def terminate_all(self) -> None:
        """Tell all to end; a client that comes now is refused, and does not wait for a worker that will not answer."""
        for listening in self.sockets:
            listening.close()
        signal.signal(signal.SIGINT, self._kill_all)
        super().terminate_all()

    def _kill_all(self, sign: int, frame: FrameType | None) -> None:
        for worker in self.processes:
            worker.process.kill()
        raise KeyboardInterrupt


def _fault(folder: Path) -> HanpuriError:
    found = "the service could not be opened"
    return take_fault(folder) or EngineError(found, "the lines above say where; please report them")


def _hear_signals(is_told: Callable[[], bool]) -> None:
    """
    Have signals to end stop what is done before the service runs, and do nothing more once it was told to end.

    uvicorn raises what it caught once more when it is done; a service that ended well would seem to have been killed.
    """

    def hear(sign: int, frame: FrameType | None) -> None:
        if not is_told():
            raise KeyboardInterrupt

    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, hear)


def _take_all_files() -> None:
    """Let this process and its workers open as many files, and so connections, as the system allows them."""
    with suppress(ImportError, ValueError, OSError):  # where there is no such limit, or it may not be changed
        import resource

        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
