"""
A model's two files ─► a session of onnxruntime and what its labels mean.

In:  model.onnx and vocabulary.json of a folder.   Out: both, or one line that says which of them cannot be read.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

# Since 1.29 it reports models and errors, with an id of this machine, to its makers, unless told before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

from hanpuri.compact.model_files import ModelFiles
from hanpuri.errors import ModelError

ERRORS_ONLY = 3
Labels = TypeVar("Labels")
Session = Any
"""onnxruntime.InferenceSession, which has no types."""


def open_files(files: ModelFiles, read_labels: Callable[[Path], Labels], threads: int = 1) -> tuple[Session, Labels]:
    """
    Open a model's network, and read what its labels mean.

    Args:
        files: the model's folder.
        read_labels: reads its vocabulary.
        threads: that share one call. On one, a call computes on the thread that it comes from, and two batches on two
            threads are done sooner than one after the other on both; on two, a batch that is alone is.

    Raises:
        ModelError: if one of the two cannot be read.
    """
    path = files.vocabulary
    try:
        labels = read_labels(path)
        path = files.network
        return open_session(path, threads), labels
    except Exception as error:  # onnxruntime has a class of its own for every cause
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        mend = "install hanpuri again, or train the model again"
        raise ModelError(f"{path} cannot be loaded: {cause}", mend) from error


def open_session(network: Path, threads: int) -> Session:
    """Open a network for calls from any thread; `threads` of its own share one call."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.force_spinning_stop", "1")  # threads of ours do not wait by working
    options.log_severity_level = ERRORS_ONLY
    return onnxruntime.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])
