"""`hanpuri export-data`: rows in a provider's format, as a table of what was written or as one JSON object."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hanpuri.data.export.writing import Exported

EXAMPLES = """
[bold]Examples[/bold]

  hanpuri export-data prepared/reviews --format openai --out train.jsonl

  hanpuri export-data prepared/reviews --split validation --format gemini --out validation.jsonl

  hanpuri export-data pairs.jsonl --format alpaca --out alpaca.json
"""


def export_data(
    source: Path,
    out: Path,
    format: str,
    *,
    split: str | None,
    system: str | None,
    instruction: str | None,
    id_file: Path | None,
    limit_bytes: int | None,
    as_json: bool,
) -> None:
    """Write the file and the one beside it, and print what was written."""
    # Here, as the schemas take a tenth of a second to build, which other commands need not wait for.
    from hanpuri.data.export.schemas import check_export_format
    from hanpuri.data.export.writing import export_data as write

    exported = write(
        source,
        out,
        check_export_format(format),
        split=split,
        system=system,
        instruction=instruction,
        rows_path=id_file,
        max_bytes=limit_bytes,
    )
    if as_json:
        print(json.dumps(_fields(exported), ensure_ascii=False))
    else:
        _print_table(exported)


def _fields(exported: "Exported") -> dict[str, object]:
    return {
        "out": str(exported.path),
        "id_file": str(exported.rows_path),
        "format": exported.format,
        "form": exported.form,
        "rows": exported.num_rows,
        "bytes": exported.num_bytes,
        "maybe_too_long": exported.num_long,
    }


def _print_table(exported: "Exported") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from hanpuri.data.export.schemas import LIMITS

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in _fields(exported).items():
        table.add_row(name, Text(f"{value:,}" if isinstance(value, int) else str(value)))
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    max_tokens = LIMITS[exported.format].max_tokens
    if exported.num_long and max_tokens is not None:
        lines = f"{exported.num_long:,} line{'s' if exported.num_long > 1 else ''}"
        told = (
            f"{lines} of over {max_tokens:,} bytes may be over the {max_tokens:,} tokens that {exported.format} takes"
        )
        console.print(f"{told}: count their tokens")
