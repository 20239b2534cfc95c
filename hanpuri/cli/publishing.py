"""`hanpuri publish`: what a run has learnt as a folder or a repository, told as tables or as one JSON object."""

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from hanpuri.training.publishing.parity import Comparison
    from hanpuri.training.publishing.publish import Published

WIDTH = 140
"""A hash is not to be cut, nor a row of figures."""

EXAMPLES = """
[bold]Examples[/bold]

  hanpuri publish runs/faq-qlora --to published/faq

  hanpuri publish runs/faq-qlora --to published/faq --gguf Q4_K_M --gguf F16

  hanpuri publish runs/faq-qlora --to hub:mina/faq --dry-run
"""


def run(
    run: Path,
    to: str,
    *,
    gguf: tuple[str, ...],
    dry_run: bool,
    private: bool,
    force: bool,
    license: str | None,
    prompts: Path | None,
    device: str | None,
    as_json: bool,
) -> None:
    """Publish a run, and print what is there now, or would be."""
    # Here, as torch and transformers take seconds to load, which other commands need not wait for.
    from hanpuri.training.loading.hardware import check_device
    from hanpuri.training.publishing.publish import Options, as_dict, publish

    if device is not None:
        check_device(device)
    options = Options(gguf, dry_run, private, force, license, prompts, device)
    published = publish(run, to, options, report=lambda line: print(f"hanpuri: {line}", file=sys.stderr))
    if as_json:
        print(json.dumps(as_dict(published), ensure_ascii=False))
    else:
        _print_tables(published)


def _print_tables(published: "Published") -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(soft_wrap=True, highlight=False, width=max(WIDTH, shutil.get_terminal_size().columns))
    _print_files(console, published)
    _print_proof(console, published)
    if published.dry_run:
        console.print("\n[bold]README.md[/bold]\n")
        console.print(escape(published.card))
    for note in published.notes:
        console.print(f"note: {escape(note)}")
    console.print(escape(_outcome(published)))


def _print_files(console: "Console", published: "Published") -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("file", "bytes", "sha256", box=None, padding=(0, 2, 0, 0))
    for file in published.files:
        table.add_row(Text(file.name), f"{file.num_bytes:,}", file.sha256)
    console.print(table)


def _print_proof(console: "Console", published: "Published") -> None:
    from rich.table import Table

    proof, asked = published.proof, len(published.proof.questions)
    table = Table(
        "compared", "largest Δ", "typical σ", "largest σ", "same text", "equal", box=None, padding=(0, 2, 0, 0)
    )
    named = (
        ("merged", proof.merged, True),
        ("exported", proof.exported, True),
        ("without the adapter", proof.effect, False),
        ("on the 4-bit base", proof.quantized, False),
        *((one.name, one.comparison, one.judged) for one in published.converted),
    )
    for name, one, judged in named:
        if one is not None:
            table.add_row(name, *_figures(one, asked), _verdict(one, judged=judged))
    console.print()
    console.print(table)
    for converted in published.converted:
        if converted.note:
            console.print(f"{converted.name}: {converted.note}")


def _figures(one: "Comparison", asked: int) -> tuple[str, ...]:
    ties = f" ({one.ties} part at a tie)" if one.ties else ""
    return f"{one.max_difference:.3g}", f"{one.typical:.2g}", f"{one.largest:.3g}", f"{one.same_text} of {asked}{ties}"


def _verdict(one: "Comparison", *, judged: bool) -> str:
    return ("yes" if one.equal else "no") if judged else "not expected"


def _outcome(published: "Published") -> str:
    access = "private" if published.private else "public"
    if published.dry_run:
        where = f"a {access} repository {published.repository}" if published.repository else str(published.folder)
        return f"dry run: nothing was kept; this would be {where}"
    if published.repository:
        return f"pushed to {published.url} ({access}); the same lies in {published.folder}"
    return f"published to {published.folder}"
