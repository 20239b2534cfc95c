"""
A step that a GPU has recorded: one launch in place of two thousand.

In:  a function that reads and writes tensors which stay where they are.   Out: the same function, played from a record.

A small network's kernel is over before the next one is asked for; of a CUDA graph the GPU knows beforehand what comes.
What is recorded may not look at a number on the device, make shapes of such numbers, or put a new tensor where a
lasting one was. Random numbers go on from where torch's generator of the device stands, as they would unrecorded. Needs
torch.
"""

from collections import deque
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

# Before it is recorded a function has to have run: what is compiled at first sight, is compiled then.
NUM_REHEARSALS = 3
# Steps that wait on the GPU. One less, and it waits; many more, and the clock of the host tells nothing of it.
MAX_AHEAD = 2


def record(work: Callable[[], None], state: Mapping[str, Tensor]) -> Callable[[], None]:
    """
    Record one call of `work`, and leave everything as it was before.

    Args:
        work: what to record, on the current GPU.
        state: all tensors that last from call to call; the rehearsals are undone in them, in place.
    """
    kept = {name: value.detach().clone() for name, value in state.items()}
    random = torch.get_rng_state(), torch.cuda.get_rng_state()
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(NUM_REHEARSALS):
            work()
    torch.cuda.current_stream().wait_stream(aside)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        work()
    put_back(state, kept)
    torch.set_rng_state(random[0])
    torch.cuda.set_rng_state(random[1])
    return graph.replay


@torch.no_grad()
def put_back(state: Mapping[str, Tensor], kept: Mapping[str, Tensor]) -> None:
    """Copy what was kept into the tensors of the same names, where they are: a record knows tensors by their place."""
    for name, value in state.items():
        value.copy_(kept[name])


class Pace:
    """Keeps the host within two steps of the GPU, so that the host's clock tells how long a step takes."""

    def __init__(self, device: torch.device) -> None:
        self.on_gpu = device.type == "cuda"
        self.ahead: deque[torch.cuda.Event] = deque()

    def keep(self) -> None:
        """Wait, after a step was asked for, until no more than two are still to be done."""
        if not self.on_gpu:
            return
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        self.ahead.append(event)
        if len(self.ahead) > MAX_AHEAD:
            self.ahead.popleft().synchronize()
