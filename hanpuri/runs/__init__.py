"""
A run's folder: what it was made from, how it went, what came of it; and the tables and curves of many runs.

In:  settings, data files, metrics as they come.   Out: `runs/base/` with

    recipe.yaml        the settings, every default spelled out
    environment.json   SHA-256 of data, template and tokenizer; versions, machine, command and git state of each start
    metrics.jsonl      {"time": 1795318509.0, "step": 200, "loss": 1.93, …}, a line at a time
    result.json        what came of it, once it has ended

What stands in the folder is enough to say later what a number came from. Nothing here knows a stage.
"""

from typing import TYPE_CHECKING, Any

from hanpuri.runs.environment import count_usable_cpus, describe_environment
from hanpuri.runs.files import sha256_of, write_json

if TYPE_CHECKING:
    from hanpuri.runs.folder import Run

__all__ = ["Run", "count_usable_cpus", "describe_environment", "sha256_of", "write_json"]


def __getattr__(name: str) -> Any:
    """Load what knows recipes once it is asked for: restoring needs neither them nor pydantic, a third of its start."""
    if name == "Run":
        from hanpuri.runs.folder import Run

        return Run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
