"""
Several processes of one training, one a GPU, as torchrun and `accelerate launch` start them: who acts, who waits.

In: RANK, WORLD_SIZE and LOCAL_RANK, which a launcher sets. The first process makes the run's folder, writes, prints;
the others find what it has made:

    first    join ─ reads, encodes, writes the tokens ─┐  finds them ─ trains ─ prints
    others   join ─ wait ──────────────────────────────┴─ find them ── train

Without a launcher there is one process, and nothing here does anything.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from hanpuri.errors import ModelError

# In which a launcher ends the others, after one process has left.
SECONDS_TO_BE_ENDED = 20.0
# The first process may encode a corpus for hours while others wait.
PATIENCE = timedelta(days=7)
# As transformers gives it to its own: between steps nobody is late by more.
STEP_PATIENCE = timedelta(minutes=30)
EXIT_FAULT_GIVEN = 2
_waiting: list[Any] = []  # the group in which others wait for the first; empty while nobody has joined


def count_processes() -> int:
    """Say how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Say whether this process is the one that writes and prints."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def joined(device: str) -> Iterator[None]:
    """
    Meet the other processes, and part from them when the work is done.

    Args:
        device: "cpu" (they speak by gloo), or "cuda:1" (by NCCL).

    Raises:
        ModelError: if the launcher was told to shard by the first version of FSDP.
    """
    if count_processes() == 1:
        yield
        return
    import torch
    from accelerate.state import AcceleratorState, PartialState

    _settle_sharding()
    AcceleratorState._reset_state(reset_partial_state=True)  # of an earlier training in this process
    PartialState(cpu=device == "cpu", timeout=STEP_PATIENCE)
    _waiting.append(torch.distributed.new_group(backend="gloo", timeout=PATIENCE))
    try:
        yield
        with first_before_others():
            pass
        torch.distributed.destroy_process_group()
    finally:
        _waiting.clear()


def _settle_sharding() -> None:
    """Refuse FSDP's first version, which accelerate takes unless told otherwise; and shard block by block."""
    if os.environ.get("ACCELERATE_USE_FSDP", "").lower() not in ("true", "1"):
        return
    if (version := os.environ.get("FSDP_VERSION", "1")) != "2":
        raise ModelError(f"the launcher asks for FSDP version {version}, expected 2", "launch with --fsdp_version 2")
    os.environ.setdefault("FSDP_AUTO_WRAP_POLICY", "TRANSFORMER_BASED_WRAP")


@contextmanager
def first_before_others() -> Iterator[None]:
    """
    Let the first process through before the others; for work that leaves on disk what the others then find.

    Raises:
        SystemExit: in the others, if the first one has failed: it says why.
    """
    if not _waiting:
        yield
        return
    if not is_first():
        if not _tell(done=False):
            wait_to_be_ended()
            raise SystemExit(EXIT_FAULT_GIVEN)
        yield
        return
    try:
        yield
    except BaseException:
        _tell(done=False)
        raise
    _tell(done=True)


def _tell(*, done: bool) -> bool:
    """Give to all what the first process says."""
    import torch

    told = torch.tensor([int(done)])
    torch.distributed.broadcast(told, src=0, group=_waiting[0])
    return bool(told[0])


def wait_to_be_ended() -> None:
    """
    Wait until the launcher ends this process, because another one has left; return if it does not.

    A fault that several processes find is so said once, and one that another's end has caused is not said at all.
    """
    if count_processes() > 1:
        sys.stdout.flush()
        time.sleep(SECONDS_TO_BE_ENDED)
