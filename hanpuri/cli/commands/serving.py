"""Commands that serve a model: serve."""

from pathlib import Path
from typing import Annotated

import typer

from hanpuri.cli import serving

app = typer.Typer(rich_markup_mode="rich")
PANEL = "Serve"
LISTENS, SERVES, TAKES, KEEPS = "Where it listens", "What it serves", "How much it takes", "What it keeps and logs"


@app.command(epilog=serving.EXAMPLES, rich_help_panel=PANEL)
def serve(
    host: Annotated[
        str | None,
        typer.Option(
            envvar="HANPURI_HOST",
            rich_help_panel=LISTENS,
            help="The address; any but this machine's own needs keys. 127.0.0.1, if not given.",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            envvar="HANPURI_PORT",
            min=0,
            max=65_535,
            rich_help_panel=LISTENS,
            help="The port; 0 takes a free one. 8600, if not given.",
        ),
    ] = None,
    root_path: Annotated[
        str | None,
        typer.Option(
            envvar="HANPURI_ROOT_PATH", rich_help_panel=LISTENS, help="The path under which a proxy shows the service."
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            envvar="HANPURI_ALLOWED_HOST",
            rich_help_panel=LISTENS,
            help="A name by which clients may call it, besides its address; * for any. May be repeated.",
        ),
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(
            envvar="HANPURI_CORS_ORIGIN",
            rich_help_panel=LISTENS,
            help="A page, such as https://reviews.example.kr, whose scripts may ask. May be repeated.",
        ),
    ] = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            envvar="HANPURI_API_KEY_FILE", rich_help_panel=LISTENS, help="Keys, as `hanpuri keys add` wrote them."
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            envvar="HANPURI_MODEL",
            metavar="NAME|NAME=FOLDER",
            rich_help_panel=SERVES,
            help="A compact model; the first answers where none is asked for. base and small, if not given.",
        ),
    ] = None,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            envvar="HANPURI_ENGINE",
            metavar="[NAME=]ENGINE",
            rich_help_panel=SERVES,
            help="A language model, as for `hanpuri ask --engine`. May be repeated.",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            envvar="HANPURI_THREADS",
            min=1,
            rich_help_panel=SERVES,
            help="Processor threads of each worker; the machine's by the number of workers, if not given.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            envvar="HANPURI_WORKERS",
            min=1,
            max=64,
            rich_help_panel=SERVES,
            help="Processes that answer, each with its own models. 1, if not given.",
        ),
    ] = None,
    max_body_bytes: Annotated[
        int | None,
        typer.Option(
            envvar="HANPURI_MAX_BODY_BYTES",
            min=1_024,
            rich_help_panel=TAKES,
            help="Bytes of a request's body. 1000000, if not given.",
        ),
    ] = None,
    max_texts: Annotated[
        int | None,
        typer.Option(
            envvar="HANPURI_MAX_TEXTS", min=1, rich_help_panel=TAKES, help="Texts in a request. 1000, if not given."
        ),
    ] = None,
    max_characters: Annotated[
        int | None,
        typer.Option(
            envvar="HANPURI_MAX_CHARACTERS",
            min=1,
            rich_help_panel=TAKES,
            help="Characters of a text. 10000, if not given.",
        ),
    ] = None,
    max_queued_requests: Annotated[
        int | None,
        typer.Option(
            envvar="HANPURI_MAX_QUEUED_REQUESTS",
            min=1,
            rich_help_panel=TAKES,
            help="Requests that may wait in each worker; the next is told to come later. 200, if not given.",
        ),
    ] = None,
    max_queued_characters: Annotated[
        int | None,
        typer.Option(
            envvar="HANPURI_MAX_QUEUED_CHARACTERS",
            min=1,
            rich_help_panel=TAKES,
            help="Characters that may wait in each worker. 200000, if not given.",
        ),
    ] = None,
    turn_seconds: Annotated[
        float | None,
        typer.Option(
            envvar="HANPURI_TURN_SECONDS",
            min=0.01,
            max=86_400,
            rich_help_panel=TAKES,
            help="How long a short request may wait for its turn, or is told to come later. 1, if not given.",
        ),
    ] = None,
    request_seconds: Annotated[
        float | None,
        typer.Option(
            envvar="HANPURI_REQUEST_SECONDS",
            min=0.1,
            max=86_400,
            rich_help_panel=TAKES,
            help="Time to receive a request, and to answer it. 30, if not given.",
        ),
    ] = None,
    idle_seconds: Annotated[
        int | None,
        typer.Option(
            envvar="HANPURI_IDLE_SECONDS",
            min=1,
            max=86_400,
            rich_help_panel=TAKES,
            help="How long a connection may stand open without a whole head of a request. 20, if not given.",
        ),
    ] = None,
    shutdown_seconds: Annotated[
        float | None,
        typer.Option(
            envvar="HANPURI_SHUTDOWN_SECONDS",
            min=0.1,
            max=86_400,
            rich_help_panel=TAKES,
            help="Time that accepted requests have when the service is told to end. 30, if not given.",
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            envvar="HANPURI_DATABASE",
            metavar="URL|none",
            rich_help_panel=KEEPS,
            help="Where feedback is kept; none takes no feedback. sqlite:///hanpuri-feedback.db, if not given.",
        ),
    ] = None,
    log_format: Annotated[
        str | None,
        typer.Option(
            envvar="HANPURI_LOG_FORMAT",
            metavar="text|json",
            rich_help_panel=KEEPS,
            help="How requests are logged. text, if not given.",
        ),
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(
            envvar="HANPURI_LOG_LEVEL",
            metavar="debug|info|warning",
            rich_help_panel=KEEPS,
            help="debug logs requests for /healthz, /readyz and /metrics too. info, if not given.",
        ),
    ] = None,
    log_texts: Annotated[
        bool,
        typer.Option(
            "--log-texts", envvar="HANPURI_LOG_TEXTS", rich_help_panel=KEEPS, help="Log the bodies of requests too."
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON to stdout when the service is ready: url, pid.")
    ] = False,
) -> None:
    """Answer over HTTP on your own machine, with a web page at /."""
    limits = {
        "body_bytes": max_body_bytes,
        "texts": max_texts,
        "characters": max_characters,
        "queued_requests": max_queued_requests,
        "queued_characters": max_queued_characters,
        "turn_seconds": turn_seconds,
        "request_seconds": request_seconds,
        "idle_seconds": idle_seconds,
        "shutdown_seconds": shutdown_seconds,
    }
    told = {
        "host": host,
        "port": port,
        "models": model,
        "engines": engine,
        "threads": threads,
        "workers": workers,
        "api_key_file": api_key_file,
        "database": database,
        "allowed_hosts": allowed_host,
        "cors_origins": cors_origin,
        "root_path": root_path,
        "log_format": log_format,
        "log_level": log_level,
        "log_texts": log_texts,
    }
    serving.serve(told, limits, as_json=json)
