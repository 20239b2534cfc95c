"""
Which tests run in one process, and which begin first, when pytest-xdist runs them side by side.

In: the ids of tests, such as `tests/serving/chat/test_talking.py::test_a_name`. Out: scopes, such as
`tests/serving/chat/`: a process that takes a scope runs all of it.
"""

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# Folders whose files share what takes seconds to make; it would else be made in every process.
TOGETHER = ("tests/compact/", "tests/rounds/", "tests/serving/chat/", "tests/serving/feedback/")
# What takes longest begins first, so that no process is left alone with it in the end.
FIRST = (
    "tests/training/test_several_processes.py",
    "tests/test_docs.py",
    *TOGETHER,
    "tests/training/test_shipped_recipes.py",
    "tests/cli/test_tuning.py",
)


class Files(LoadScopeScheduling):
    """A file to a process, but for folders that stay together."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)

    def _assign_work_unit(self, node: WorkerController) -> None:
        first = next((scope for scope in FIRST if scope in self.workqueue), None)
        if first:
            self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)
