"""
The service under load: how soon it is ready, how fast it answers, what it does when it is asked for more than it can.

In:  nothing but the shipped models and sentences of hanpuri/samples, made noisy here. Out: a table, and with --write
service.json, of which `write_tables.py` makes the table of docs/service.md:

    python benchmarks/service.py                                 a few minutes
    python benchmarks/service.py --seconds 600 --write           ten minutes of twice what it can do

`hanpuri serve` runs as a process of its own; the client shares the same two processors with it. Requests come as from
people who know nothing of each other (a Poisson process), reviews of 100 syllables each:

    start       from the shell to the first answer of /readyz, the median of several starts
    singles     one review a request, 20 requests a second, each model
    batches     1,000 reviews a request, beside `Restorer.restore` on the same texts in the same run, in turns
    capacity    as many single reviews as are answered to clients that ask again at once
    overload    twice as many, for --seconds; then 20 a second again: when is it as fast as before?

Those who were refused at the end of the overload come again when Retry-After says so, and are counted.
"""

import argparse
import asyncio
import gc
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import psutil

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))  # for `python benchmarks/service.py`

from benchmarks.service_client import (  # noqa: E402
    Answer,
    Client,
    make_request,
    poisson,
    quantile,
    seconds_until_back,
    summarise,
)
from benchmarks.write_tables import main as write_all_tables  # noqa: E402
from benchmarks.write_tables import service_figures  # noqa: E402
from hanpuri import Restorer, __version__, obfuscate  # noqa: E402
from hanpuri.hangul import is_syllable  # noqa: E402
from hanpuri.runs.files import write_json  # noqa: E402

RESULTS = Path(__file__).with_name("service.json")
SENTENCES = REPOSITORY / "hanpuri" / "samples" / "conversations.jsonl"
MODELS = ("base", "small")
SYLLABLES = 100
RATE = 20.0
NUM_CLIENTS = 16
"""Clients that ask again at once: enough that nobody who could work waits."""
READY_SECONDS = 60
MEBIBYTE = 1 << 20
Result = TypeVar("Result")


@dataclass(frozen=True)
class Bench:
    """How long and how often."""

    starts: int
    singles: float
    rounds: int
    texts: int
    overload: float


@dataclass(frozen=True)
class Served:
    """A service that runs, and how long it took to become ready."""

    port: int
    process: psutil.Process
    ready_seconds: float

    def memory(self) -> float:
        """Resident memory of all its processes, MiB."""
        found = 0
        for process in (self.process, *self.process.children(recursive=True)):
            try:
                found += process.memory_info().rss
            except psutil.NoSuchProcess:  # between the listing and the asking
                continue
        return found / MEBIBYTE


@contextmanager
def serving(workers: int) -> Iterator[Served]:
    """Run `hanpuri serve` on a free port, as a user starts it, and end it."""
    command = [sys.executable, "-m", "hanpuri", "serve", "--json", "--port", "0", "--workers", str(workers)]
    told = {name: value for name, value in os.environ.items() if not name.startswith("HANPURI_")}
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log.txt").open("wb") as log:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=log, env=told)
        try:
            assert process.stdout
            line = process.stdout.readline()
            if not line:
                raise SystemExit((Path(folder) / "log.txt").read_text(encoding="utf-8"))
            port = int(json.loads(line)["url"].rpartition(":")[2])
            _wait_until_ready(port, started + READY_SECONDS)
            yield Served(port, psutil.Process(process.pid), time.perf_counter() - started)
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout
    process.stdout.close()
    process.terminate()
    try:
        process.wait(READY_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_ready(port: int, deadline: float) -> None:
    request = b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    while asyncio.run(_ask_once(port, request)) != 200:
        if time.perf_counter() > deadline:
            raise SystemExit(f"the service was not ready after {READY_SECONDS} s")
        time.sleep(0.005)


async def _ask_once(port: int, request: bytes) -> int:
    client = Client(port)
    status, _, _ = await client.ask(request)
    client.close()
    return status


def make_texts(count: int, seed: int = 0) -> list[str]:
    """Make noisy reviews of 100 syllables: sentences of ours in random order, then noise."""
    rows = [json.loads(line) for line in SENTENCES.read_text(encoding="utf-8").splitlines()]
    sentences = [message["content"].replace("\n", " ") for row in rows for message in row["messages"]]
    rng = random.Random(seed)
    return [obfuscate(_cut(rng, sentences), seed=rng.randrange(1 << 30)).noisy for _ in range(count)]


def _cut(rng: random.Random, sentences: Sequence[str]) -> str:
    """Put sentences together until there are enough syllables, and end behind the last one."""
    text, num_syllables = "", 0
    while True:
        for character in rng.choice(sentences) + " ":
            text += character
            num_syllables += is_syllable(character)
            if num_syllables == SYLLABLES:
                return text


async def measured(loading: Awaitable[list[Answer]]) -> tuple[list[Answer], dict[str, Any]]:
    """Await answers, and put them into figures with the processor time that the client itself took."""
    gc.collect()
    gc.freeze()  # a collection of the client's garbage would be the service's delay
    wall, cpu = time.perf_counter(), time.process_time()
    answers = await loading
    return answers, summarise(answers, (time.process_time() - cpu) / (time.perf_counter() - wall))


def with_client(served: Served, work: Callable[[Client], Awaitable[Result]]) -> Result:
    """Open a client, let it work, and close it."""

    async def run() -> Result:
        client = Client(served.port)
        try:
            return await work(client)
        finally:
            client.close()

    return asyncio.run(run())


def ask_singles(served: Served, model: str, texts: Sequence[str], seconds: float) -> dict[str, Any]:
    """Ask for single reviews at the usual rate; the first ones warm up and do not count."""
    requests = [make_request({"text": text, "model": model}) for text in texts]

    async def work(client: Client) -> dict[str, Any]:
        await client.open_loop(requests, poisson(RATE, min(3.0, seconds), seed=1))
        return (await measured(client.open_loop(requests, poisson(RATE, seconds))))[1]

    return with_client(served, work)


def ask_batches(served: Served, restorer: Restorer, bench: Bench, workers: int) -> dict[str, Any]:
    """Restore the same texts by the service and by the library, in turns; characters a second of both."""
    texts = make_texts(bench.texts, seed=2)
    parts = [texts[first :: 2 * workers] for first in range(2 * workers)] if workers > 1 else [texts]
    requests = [make_request({"texts": part}) for part in parts]

    async def ask(client: Client) -> float:
        started = time.perf_counter()
        found = await asyncio.gather(*(client.ask(request) for request in requests))
        if {status for status, _, _ in found} != {200}:
            raise SystemExit(f"a batch was answered with {[status for status, _, _ in found]}")
        return time.perf_counter() - started

    by_library, by_service = [], []
    for _ in range(bench.rounds):
        started = time.perf_counter()
        restorer.restore(texts)
        by_library.append(time.perf_counter() - started)
        by_service.append(with_client(served, ask))
    characters = sum(map(len, texts))
    library, service = (characters / statistics.median(seconds) for seconds in (by_library, by_service))
    about = {"rounds": bench.rounds, "requests": len(requests), "texts": len(texts)}
    return {**about, "library": round(library), "service": round(service), "ratio": round(service / library, 3)}


def ask_too_much(served: Served, texts: Sequence[str], bench: Bench) -> dict[str, Any]:
    """Find what the service can do, ask for twice that, then go back to the usual rate."""
    requests = [make_request({"text": text}) for text in texts]

    async def work(client: Client) -> dict[str, Any]:
        capacity = await _find_capacity(client, requests, bench.singles)
        before, calm = await measured(client.open_loop(requests, poisson(RATE, bench.singles)))
        usual = quantile([answer.seconds for answer in before], 0.5)
        found = await _load(served, client, requests, 2 * capacity, bench)
        back = seconds_until_back(found.pop("after"), max(1.5 * usual, 0.025))
        return {"capacity": round(capacity, 1), **found, "calm_p50": calm.get("p50"), "recovery_seconds": back}

    return with_client(served, work)


async def _find_capacity(client: Client, requests: Sequence[bytes], seconds: float) -> float:
    """Count what is answered in a second to clients that ask again at once; an eighth of the time warms up."""
    await client.closed_loop(requests, NUM_CLIENTS, seconds / 8)
    answers, _ = await measured(client.closed_loop(requests, NUM_CLIENTS, seconds))
    return sum(answer.status == 200 for answer in answers) / seconds


async def _load(served: Served, client: Client, requests: Sequence[bytes], rate: float, bench: Bench) -> dict[str, Any]:
    """Ask at a rate, then at the usual one; the answers of the latter are `after`."""
    memory: list[float] = [served.memory()]
    watching = asyncio.create_task(_watch(served, memory, bench.overload))
    loading = asyncio.create_task(measured(client.open_loop(requests, poisson(rate, bench.overload))))
    await asyncio.sleep(bench.overload)
    # Those who come now find a line of those who came before.
    calming = asyncio.create_task(client.open_loop(requests, poisson(RATE, max(30.0, bench.singles))))
    during, overload = await loading
    again = await _come_again(client, requests, during)
    after = await calming
    await watching
    memory.append(served.memory())
    refused = [answer for answer in during if answer.status == 429]
    return {
        "asked": round(len(during) / bench.overload, 1),
        "seconds": bench.overload,
        **overload,
        "server_errors": sum(answer.status >= 500 for answer in (*during, *after)),
        "without_retry_after": sum(answer.retry_after is None for answer in refused),
        "memory_mib": [round(one, 1) for one in memory],
        "growth": round(memory[-1] / memory[min(1, len(memory) - 2)] - 1, 4),
        "after": after,
        **again,
    }


async def _watch(served: Served, memory: list[float], seconds: float) -> None:
    """Note the memory each minute, or ten times in a short run."""
    step = min(60.0, seconds / 10)
    for _ in range(round(seconds / step)):
        await asyncio.sleep(step)
        memory.append(served.memory())


async def _come_again(client: Client, requests: Sequence[bytes], answers: Sequence[Answer]) -> dict[str, int]:
    """Let the last who were refused come again when they were told to, a tenth of a second apart."""
    refused = [answer for answer in answers if answer.retry_after is not None][-20:]

    async def ask(number: int, answer: Answer) -> int:
        assert answer.retry_after is not None
        await asyncio.sleep(answer.retry_after + number / 10)
        return (await client.ask(requests[number]))[0]

    found = await asyncio.gather(*(ask(number, answer) for number, answer in enumerate(refused)))
    return {"came_again": len(found), "helped_then": found.count(200)}


def measure(bench: Bench, workers: int) -> dict[str, Any]:
    """Measure a service with so many workers."""
    texts = make_texts(500)
    starts = []
    for _ in range(bench.starts):
        with serving(workers) as served:
            starts.append(round(served.ready_seconds, 3))
    found: dict[str, Any] = {"ready_seconds": statistics.median(starts), "starts": starts}
    print(f"{workers} workers: ready after {found['ready_seconds']:.2f} s of {starts}", flush=True)
    with serving(workers) as served:
        found["memory_ready_mib"] = round(served.memory(), 1)
        for model in MODELS:
            found[model] = ask_singles(served, model, texts, bench.singles)
            print(f"{model}: {found[model]}", flush=True)
        found["batches"] = ask_batches(served, Restorer(MODELS[0]), bench, workers)
        print(f"batches: {found['batches']}", flush=True)
        found["overload"] = ask_too_much(served, texts, bench)
        print(f"overload: {found['overload']}", flush=True)
    return found


def machine() -> str:
    """Name the processor and how many of it are used."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(os.sched_getaffinity(0))} processors, {names[0] if names else platform.machine()}"


def main() -> None:
    """Measure, print the table, and keep it if told so."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--singles", type=float, default=20, help="seconds of each load but the overload")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=60, help="seconds of overload")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a thousand connections are a thousand open files
    bench = Bench(options.starts, options.singles, options.rounds, options.texts, options.seconds)
    libraries = {name: version(name) for name in ("fastapi", "uvicorn", "onnxruntime", "numpy")}
    found: dict[str, Any] = {
        "machine": machine(),
        "date": str(date.today()),
        "versions": {"hanpuri": __version__, "python": platform.python_version(), **libraries},
        "workers": {str(workers): measure(bench, workers) for workers in options.workers},
    }
    print(service_figures(found))
    if options.write:
        write_json(RESULTS, found)
        write_all_tables(check=False)


if __name__ == "__main__":
    main()
