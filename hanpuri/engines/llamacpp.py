"""
The engine of GGUF files: llama.cpp, which needs neither torch nor a GPU.

In: "llamacpp:model.gguf". Out: an engine that asks the model as it was trained:

    {"noisy": "확잠실읾"}   ─►   Answer("화장실이", 4, finished=True)

`hanpuri publish --gguf` lays the tokenizer and `prompt_template.yaml` beside the file: with them, prompts are sent as
the very tokens of the training. A file that came alone is asked through the chat template that is in it.

The model runs in a process of its own (`servers.llama_cpp_process`) and is spoken to as any other server; it ends with
this one.
"""

import json
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from hanpuri.engines.openai import OpenAIEngine
from hanpuri.engines.servers.connection import Connection
from hanpuri.engines.servers.ways import Way, choose_way, prompts_of
from hanpuri.engines.settings import EngineSettings, ServerSettings
from hanpuri.errors import EngineError, ModelError

PROCESS = "hanpuri.engines.servers.llama_cpp_process"
MAGIC = b"GGUF"
ANSWER_SECONDS = 3600.0
"""An answer on a processor takes its time."""
END_SECONDS = 10.0
ALL_THREADS = -1
ERROR_LINE = re.compile(r"^\S+ E .*?: (?:error loading model: )?(?:llama_model_loader: )?(.+)$", re.MULTILINE)


class LlamaCppEngine(OpenAIEngine):
    """A GGUF file, served by a process of ours. Made by `load`, ended by `close`."""

    note = ""
    """What the user should hear: that no template lies beside the file."""
    _process: "LlamaCppProcess"
    _written = ""

    @classmethod
    def load(cls, settings: EngineSettings) -> Self:
        """
        Load the model of `llamacpp:model.gguf`, or of a folder that holds one.

        Raises:
            EngineError: if xllamacpp or httpx2 is not installed.
            ModelError: if there is no such file, or llama.cpp cannot load it.
            RecipeError: if there is no such template.
        """
        path = find_file(Path(settings.model))
        if find_spec("xllamacpp") is None:
            found = "llamacpp needs the library xllamacpp, which is not installed"
            raise EngineError(found, 'install it: pip install "hanpuri[llamacpp]"')
        asked = _as_server(settings)
        way, note = way_beside(path, asked)
        process = LlamaCppProcess(path, settings)
        try:
            connection = Connection(
                process.address, timeout_seconds=ANSWER_SECONDS, concurrency=asked.server.concurrency
            )
            engine = cls.connect(asked, connection, "", way)
        except BaseException:
            process.close()
            raise
        state = path.stat()
        engine._process, engine.note = process, note
        context, known = settings.llamacpp.context, engine.served.positions
        engine.served = replace(engine.served, positions=min(context, known or context))  # llama.cpp rounds it up
        engine._written = f"llamacpp {path.resolve()} {state.st_size} {state.st_mtime_ns}"
        return engine

    @property
    def identity(self) -> str:
        """See `Engine.identity`: the file, the template, the grammar."""
        template = self.prompting.hash if self.prompting else ""
        return f"{self._written} {template} {self._settings.aligned}"

    def close(self) -> None:
        """End the process."""
        super().close()
        self._process.close()


class LlamaCppProcess:
    """llama.cpp's server with one model, on a free port of this machine, as long as it is not closed."""

    address: str

    def __init__(self, path: Path, settings: EngineSettings) -> None:
        """
        Start it, and wait until the model is loaded.

        Raises:
            ModelError: if llama.cpp cannot load the model, in its own words.
        """
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close
        self._process = subprocess.Popen(
            [sys.executable, "-m", PROCESS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,  # ctrl-C is ours to hear
        )
        try:
            self.address = f"{self._begin(path, settings)}/v1"
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        assert self._process.stdout
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def _begin(self, path: Path, settings: EngineSettings) -> str:
        assert self._process.stdin
        assert self._process.stdout
        ours = settings.llamacpp
        wanted = {
            "model": str(path),
            "context": ours.context,
            "parallel": ours.parallel,
            "threads": ours.threads or ALL_THREADS,
            "gpu_layers": ours.gpu_layers,
        }
        with suppress(BrokenPipeError):  # it is gone; why, it has written down
            self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
            self._process.stdin.flush()
        told = self._process.stdout.readline()
        if not told:
            raise ModelError(
                f"{path}: llama.cpp cannot load it: {self._last_words()}", "take another file, or less context"
            )
        return str(json.loads(told)["address"])

    def _last_words(self) -> str:
        """Find why the process ended: the first error of llama.cpp, or the last line."""
        status = self._process.wait()
        self._log.seek(0)
        log = self._log.read().decode(errors="replace")
        lines = ERROR_LINE.findall(log) or log.strip().splitlines()[-1:]
        return lines[0] if lines else f"it ended with {status}"


def find_file(path: Path) -> Path:
    """
    Find the GGUF file that a path means: itself, or the only one in a folder.

    Raises:
        ModelError: if there is none, or several, or it is something else.
    """
    if path.is_dir():
        files = sorted(path.glob("*.gguf"))
        if len(files) != 1:
            told = ", ".join(file.name for file in files) or "none"
            raise ModelError(
                f"{path}: found {len(files)} GGUF files, expected one: {told}", "give the path of the file"
            )
        return files[0]
    try:
        with path.open("rb") as file:
            begin = file.read(16)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", "give the path of a GGUF file") from None
    if begin.startswith(b"version https://"):
        raise ModelError(f"{path}: found a pointer of Git LFS in place of the file", "fetch it: git lfs pull")
    if not begin.startswith(MAGIC):
        raise ModelError(f"{path}: found no GGUF file, which begins with GGUF", "convert it: hanpuri publish --gguf")
    return path


def way_beside(path: Path, settings: EngineSettings) -> tuple[Way, str]:
    """
    Say in what words a file is asked, and what the user should hear of it.

    Raises:
        ModelError: if what lies beside it is no tokenizer.
        RecipeError: if there is no such template, or what lies there of it is broken.
    """
    if (path.parent / "tokenizer.json").is_file():
        way = prompts_of(path.parent, settings.template, settings.system)
        return way, way.prompting.note
    told = "its own chat template" if settings.template is None else f"the template {settings.template}, as messages"
    return choose_way(settings), f"no tokenizer.json lies beside {path.name}: it is asked in {told}"


def _as_server(settings: EngineSettings) -> EngineSettings:
    """Say how our own server is asked: it is near, and does not come back if it is gone."""
    server = ServerSettings(concurrency=settings.llamacpp.parallel, timeout_seconds=ANSWER_SECONDS, max_tries=2)
    return settings.model_copy(update={"server": server})
