"""
llama.cpp's own server, in a process of its own: `python -m …servers.llama_cpp_process` and a line of JSON.

In: {"model": "model.gguf", "context": 4096, "parallel": 4, "threads": 2, "gpu_layers": 0} on standard input.
Out: {"address": "http://127.0.0.1:37371"} on standard output, once the model is loaded; then it answers HTTP there.

It ends when standard input is closed, and so with the process that started it, however that one ends. What llama.cpp
has to say goes to standard error; a fault in a file may end the process, which is why it has one of its own.
"""

import json
import os
import sys
import time
from typing import Any

ERRORS_ONLY = 1
LOG_SECONDS = 0.5
"""llama.cpp writes its log from a thread of its own, word by word: a traceback meanwhile would stand amid its words."""


def main() -> None:
    """Load the model, tell the address, and answer until standard input ends."""
    told = os.dup(1)
    os.dup2(2, 1)  # whatever the library prints is no address
    wanted = json.loads(sys.stdin.readline())
    try:
        server = start(wanted)
    except RuntimeError:
        time.sleep(LOG_SECONDS)
        raise
    os.write(told, json.dumps({"address": server.listening_address}).encode() + b"\n")
    sys.stdin.read()
    os._exit(0)  # its threads would keep the process alive


def start(wanted: dict[str, Any]) -> Any:
    """Start the server on a free port of this machine."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.verbosity = ERRORS_ONLY
    params.model.path = wanted["model"]
    params.n_parallel = wanted["parallel"]
    params.n_ctx = wanted["context"] * wanted["parallel"]  # it is divided among them
    params.n_gpu_layers = wanted["gpu_layers"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = wanted["threads"]
    params.cpuparams.poll = params.cpuparams_batch.poll = 0  # waiting threads would take the time of all other work
    params.fit_params = False  # what does not fit is to fail, not to answer from a shorter context
    params.cache_ram_mib = 0  # else it keeps up to 8 GB of earlier prompts
    params.ui = False
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
