"""
`hanpuri serve`: options ─► a service that runs until ctrl-C.

    $ hanpuri serve --port 8600
    hanpuri 0.1.0 answers at http://127.0.0.1:8600
      models    base, small
      …

What was said is checked before a port is taken; where the service answers is said on standard error as soon as it does.
"""

import json
import logging
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

import typer

from hanpuri import __version__
from hanpuri.cli.texts import reader_may_leave
from hanpuri.errors import EngineError, RecipeError

if TYPE_CHECKING:
    from hanpuri.serving.running.processes import Running
    from hanpuri.serving.settings import ServiceSettings

EXAMPLES = """
[bold]Examples[/bold]

  hanpuri serve

  hanpuri serve --model small --workers 4 --log-format json

  hanpuri serve --host 0.0.0.0 --api-key-file keys.json --allowed-host reviews.example.kr

  hanpuri serve --engine qwen=openai:http://127.0.0.1:8000/v1#qwen3 --database none
"""
LIBRARIES = ("fastapi", "uvicorn", "httptools", "orjson", "prometheus_client", "sqlalchemy", "alembic")


def serve(told: Mapping[str, object], limits: Mapping[str, object], *, as_json: bool) -> None:
    """
    Run a service until it is told to end.

    Args:
        told: what was said, by the names of ServiceSettings; None and empty lists are what was not said.
        limits: the same for its Limits.
        as_json: whether a line of JSON, to standard output, says that the service is ready.

    Raises:
        HanpuriError: if what was said is wrong, or something cannot be opened.
    """
    if missing := next((name for name in LIBRARIES if find_spec(name) is None), None):
        found = f"serving needs the library {missing}, which is not installed"
        raise EngineError(found, 'install it: pip install "hanpuri[serve]"')
    from hanpuri.serving.running.processes import run_service

    settings = _settle(told, limits)
    raise typer.Exit(run_service(settings, lambda running: _say_ready(running, as_json=as_json)))


def _settle(told: Mapping[str, object], limits: Mapping[str, object]) -> "ServiceSettings":
    from hanpuri.recipe import check_settings
    from hanpuri.serving.settings import ServiceSettings, is_host, is_loopback

    given = {key: value for key, value in told.items() if value not in (None, [])}
    given["limits"] = {key: value for key, value in limits.items() if value is not None}
    host = given.get("host")
    if isinstance(host, str) and is_host(host) and not is_loopback(host) and "api_key_file" not in given:
        found = f"the host {host} can be reached from other machines, which needs API keys"
        raise RecipeError(found, "make one with `hanpuri keys add`, and name its file with --api-key-file")
    return check_settings("the service", ServiceSettings, given, mend="see hanpuri serve --help")


def _say_ready(running: "Running", *, as_json: bool) -> None:
    """Say where the service answers: to people in a few lines, to what reads its log in one of JSON."""
    about = _describe(running.settings)
    if running.settings.log_format == "json":
        from hanpuri.serving.watching.logs import LOGGER

        told = {"version": __version__, "url": running.url, "pid": running.pid} | about
        logging.getLogger(LOGGER).info("ready", extra={"about": told})
    else:
        lines = [f"hanpuri {__version__} answers at {running.url}", *(f"  {key:<9} {about[key]}" for key in about)]
        print("\n".join([*lines, "  ctrl-C ends it"]), file=sys.stderr, flush=True)
    if as_json:
        with reader_may_leave():
            print(json.dumps({"url": running.url, "pid": running.pid}), flush=True)


def _describe(settings: "ServiceSettings") -> dict[str, str]:
    """Say what people want to know of a service, without its secrets: the password of a database, say."""
    from hanpuri.serving.feedback.database import parse_url, show_url
    from hanpuri.serving.names import name_all
    from hanpuri.serving.settings import NO_DATABASE

    models, engines = name_all(settings.models, settings.engines)
    taken = settings.database != NO_DATABASE
    return {
        "models": ", ".join((*models, *engines)),
        "feedback": f"kept in {show_url(parse_url(settings.database))}" if taken else "not taken",
        "keys": str(settings.api_key_file or "none; only this machine can ask"),
        "workers": str(settings.workers),
    }
