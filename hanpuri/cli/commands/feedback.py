"""Commands of what people said: feedback export, list, delete, stats, migrate."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from hanpuri.cli import feedback as said
from hanpuri.cli.options import Json

app = typer.Typer(rich_markup_mode="rich")
feedback = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="What people said of restored texts: export, list, delete, stats, migrate.",
)
app.add_typer(feedback, name="feedback", epilog=said.EXAMPLES, rich_help_panel="Serve")

Database = Annotated[
    str,
    typer.Option(
        envvar="HANPURI_DATABASE", metavar="URL", help="Where the service keeps feedback; as `hanpuri serve` was told."
    ),
]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Only what came since: a day, or a time as ISO 8601.")]


@feedback.command(epilog=said.EXPORT_EXAMPLES)
def export(
    database: Database = said.USUAL_DATABASE,
    form: Annotated[
        str, typer.Option(help="corrections, preference (chosen and rejected) or pairs (noisy and clean).")
    ] = "corrections",
    out: Annotated[Path | None, typer.Option(help="Write the rows here (JSONL), and not to stdout.")] = None,
    since: Since = None,
    json: Json = False,
) -> None:
    """Write rows to learn from: with consent, none twice, nothing that people do not agree on."""
    said.export_rows(database, form, out, since, as_json=json)


@feedback.command("list", epilog=said.EXAMPLES)
def list_feedback(
    database: Database = said.USUAL_DATABASE,
    since: Since = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="So many rows at most, the last ones; all, if not given.")
    ] = None,
    json: Json = False,
) -> None:
    """List what people said, the oldest first, with the ids."""
    said.show(database, since, limit, as_json=json)


@feedback.command(epilog=said.EXAMPLES)
def delete(
    ids: Annotated[list[UUID], typer.Argument(metavar="ID...", help="As `hanpuri feedback list` shows them.")],
    database: Database = said.USUAL_DATABASE,
    json: Json = False,
) -> None:
    """Delete rows by their ids."""
    said.delete(database, ids, as_json=json)


@feedback.command(epilog=said.EXAMPLES)
def stats(database: Database = said.USUAL_DATABASE, json: Json = False) -> None:
    """Count corrections, and votes by model."""
    said.count(database, as_json=json)


@feedback.command(epilog=said.EXAMPLES)
def migrate(
    database: Database = said.USUAL_DATABASE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is to be done.")] = False,
    json: Json = False,
) -> None:
    """Bring the tables up to date, as a service does when it starts."""
    said.migrate_tables(database, dry_run=dry_run, as_json=json)
