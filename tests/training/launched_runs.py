"""
`hanpuri train` in several processes that speak by gloo, as torchrun would start them. Started by
`test_several_processes`.

In: the folder of a desk with recipes. Out: one line of JSON, what each process of each launch left and said. The
libraries are loaded once and the processes forked, since loading takes longer than the runs.
"""

import gc
import json
import os
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

import torch
from accelerate.state import PartialState
from accelerate.utils import DistributedType

from hanpuri.cli import main
from hanpuri.training.generation import AnswerScorer
from hanpuri.training.loading.models import quiet_loading
from hanpuri.training.loop.watching import Watch
from hanpuri.training.processes import is_first

TICK = Watch.tick


def launch(processes, *arguments, before=lambda: None):
    """Start processes, end the others when one fails, and tell of each its exit code and what it said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
    children = [start(arguments, before, told if processes > 1 else {}, rank) for rank in range(processes)]
    codes = [None] * processes
    while None in codes:
        for rank in [rank for rank, code in enumerate(codes) if code is None]:
            child, status = os.waitpid(children[rank], os.WNOHANG)
            if child:
                codes[rank] = os.waitstatus_to_exitcode(status)
        if any(codes[rank] for rank in range(processes)):
            for rank in [rank for rank, code in enumerate(codes) if code is None]:
                with suppress(ProcessLookupError):
                    os.kill(children[rank], signal.SIGTERM)
        time.sleep(0.05)
    names = ("out", "err")
    said = [[Path(f"{name}-{rank}").read_text(encoding="utf-8") for name in names] for rank in range(processes)]
    return {"codes": codes, "out": [one[0] for one in said], "err": [one[1] for one in said]}


def start(arguments, before, told, rank):
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{name}-{rank}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    code = 1
    try:
        os.environ |= {**told, **({"RANK": str(rank), "LOCAL_RANK": str(rank)} if told else {})}
        sys.argv = ["hanpuri", "train", *arguments, "--device", "cpu"]
        before()
        main()
        code = 0
    except SystemExit as leaving:
        code = leaving.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def at_step(step, what):
    """Do something in each process when a step is done."""

    def tick(watch, at):
        TICK(watch, at)
        if at == step:
            what()

    return lambda: setattr(Watch, "tick", tick)


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt_the_second():
    if not is_first():
        os.kill(os.getpid(), signal.SIGINT)


def shard():
    """
    Have the model sharded, as `accelerate launch --use_fsdp --fsdp_version 2` does.

    accelerate offers that on GPUs alone: processes of a CPU are called such, and all else is as it is.
    """
    os.environ |= {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_CPU_RAM_EFFICIENT_LOADING": "true"}
    begin = PartialState.__init__

    def call_it_gpus(self, *places, **names):
        begin(self, *places, **names)
        if self.distributed_type == DistributedType.MULTI_CPU:
            self.distributed_type = DistributedType.MULTI_GPU

    PartialState.__init__ = call_it_gpus


def differ_in_scores():
    """Have a sharded model's first process find the answers worse and worse, and the second better and better."""
    shard()
    os.environ["FSDP_STATE_DICT_TYPE"] = "FULL_STATE_DICT"
    scores = iter((0.9, 0.8, 0.7, 0.6) if is_first() else (0.1, 0.2, 0.3, 0.4))
    AnswerScorer.__call__ = lambda self, model: {"char_accuracy": next(scores)}


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    Watch.draw_curves = lambda self, *, now=False: None
    torch.set_num_threads(1)
    with quiet_loading():
        import hanpuri.training.loop.next_token
        import hanpuri.training.preference.dpo
        import hanpuri.training.train  # noqa: F401
    gc.freeze()
    one = ("--set", "training.batch_size=4", "--set")
    early = ("--set", "adapter=null", "--set", "watch.early_stopping.patience=1")
    told = {
        "rows by two": launch(2, "rows.yaml"),
        "rows by one": launch(1, "rows.yaml", *one, "name=rows-by-one"),
        "text by one": launch(1, "text.yaml", *one, "name=text-by-one"),
        "interrupted": launch(2, "text.yaml", before=at_step(3, interrupt_the_second)),
        "killed": launch(2, "text.yaml", before=at_step(5, kill)),
        "gone on by one": launch(1, "text.yaml"),
        "gone on": launch(2, "text.yaml"),
        "pairs by two": launch(2, "pairs.yaml"),
        "pairs by one": launch(1, "pairs.yaml", *one, "name=pairs-by-one"),
        "sharded": launch(2, "text.yaml", "--set", "name=sharded", before=shard),
        "of two minds": launch(2, "rows.yaml", "--set", "name=minds", *early, before=differ_in_scores),
        "no data": launch(2, "rows.yaml", "--set", "name=none", "--set", "data.path=none.jsonl"),
        "too fast": launch(2, "rows.yaml", "--set", "name=fast", "--set", "training.learning_rate=1e20"),
    }
    print(json.dumps(told))
