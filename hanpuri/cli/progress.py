"""A progress bar on standard error while a long file is read; none in a pipe, none for what is done at once."""

import sys
import time
from collections.abc import Iterator

from hanpuri.data.files.formats import Row
from hanpuri.data.files.sources import Source

# A file that takes less than about two seconds needs no bar.
SMALLEST_FILE = 50_000
SECONDS_BETWEEN_UPDATES = 0.2


def watch_progress(source: Source) -> Iterator[Row]:
    """Hand on the rows of a source, and draw how far it is read where somebody is looking."""
    total = source.num_bytes
    if not sys.stderr.isatty() or total is None or total < SMALLEST_FILE:
        yield from source.rows()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn(source.name), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        last = 0.0
        for row in source.rows():
            if time.monotonic() - last > SECONDS_BETWEEN_UPDATES:
                progress.update(task, completed=source.bytes_read() or 0)
                last = time.monotonic()
            yield row
