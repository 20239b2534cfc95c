"""
`hanpuri serve` on the command line: what it is told and by whom, what it says when it is ready, faults in one line.

In: options and environment variables, right and wrong. Out: settings, one line with the mend and exit code 2, and
nothing that was opened before.
"""

import json
import re
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from hanpuri.cli import serving
from hanpuri.cli.commands.serving import app
from hanpuri.errors import HanpuriError
from hanpuri.runs import count_usable_cpus
from hanpuri.serving.running.processes import Running
from hanpuri.serving.settings import Limits, ServiceSettings

NAMES = {"max_body_bytes": "body_bytes", "max_texts": "texts", "max_characters": "characters"}
NAMES |= {"max_queued_requests": "queued_requests", "max_queued_characters": "queued_characters"}


@pytest.fixture
def settled(monkeypatch) -> list[ServiceSettings]:
    """What a service would be told; none is started."""
    found: list[ServiceSettings] = []
    monkeypatch.setattr(
        "hanpuri.serving.running.processes.run_service", lambda settings, on_ready: found.append(settings) or 0
    )
    return found


@pytest.fixture
def own_process(monkeypatch) -> Iterator[None]:
    """Give back what a service takes of its process for itself: its signals and its log."""
    signs = {sign: signal.getsignal(sign) for sign in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr("logging.config.dictConfig", lambda told: None)
    yield
    for sign, handler in signs.items():
        signal.signal(sign, handler)


def run(*options: str) -> int:
    return int(app(list(options), standalone_mode=False) or 0)


def test_what_is_not_said_is_as_the_settings_have_it(settled):
    assert run() == 0
    assert settled == [ServiceSettings()]


def test_every_setting_has_an_option_and_an_environment_variable():
    options = {option.name: option for option in get_command(app).params if "completion" not in option.name}
    told = {"model": "models", "engine": "engines", "allowed_host": "allowed_hosts", "cors_origin": "cors_origins"}
    named = {told.get(name, NAMES.get(name, name)) for name in options}
    # How long a request waits for others is measured, not a matter of taste.
    left_out = {"limits", "window_seconds"}
    assert (ServiceSettings.model_fields.keys() | Limits.model_fields.keys()) - left_out <= named
    for name, option in options.items():
        assert option.envvar == (None if name in ("json", "help") else f"HANPURI_{name.upper()}")


def test_a_default_in_the_help_is_that_of_the_settings():
    fields = ServiceSettings.model_fields | Limits.model_fields
    for option in get_command(app).params:
        if said := re.search(r"(\S+), if not given", option.help or ""):
            name = NAMES.get(option.name, option.name)
            field = fields.get(name) or fields[f"{name}s"]
            default = field.default
            expected = f"{default:g}" if isinstance(default, float) else str(default)
            if name not in ("threads", "model"):  # told in words
                assert said[1] == expected, name


def test_options_go_before_the_environment(settled, monkeypatch):
    monkeypatch.setenv("HANPURI_PORT", "1")
    monkeypatch.setenv("HANPURI_MODEL", "small base")
    monkeypatch.setenv("HANPURI_MAX_TEXTS", "5")
    monkeypatch.setenv("HANPURI_LOG_TEXTS", "true")
    assert run("--port", "2", "--database", "none") == 0
    (settings,) = settled
    assert (settings.port, settings.models, settings.limits.texts) == (2, ("small", "base"), 5)
    assert (settings.log_texts, settings.database) == (True, "none")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        # other machines could ask
        (
            ("--host", "0.0.0.0"),
            "the host 0.0.0.0 can be reached from other machines, which needs API keys; "
            "make one with `hanpuri keys add`, and name its file with --api-key-file",
        ),
        # a name that may be any machine's
        (
            ("--host", "example.kr"),
            "the host example.kr can be reached from other machines, which needs API keys; "
            "make one with `hanpuri keys add`, and name its file with --api-key-file",
        ),
        # more than a host
        (
            ("--host", "http://127.0.0.1"),
            "the service: found 'http://127.0.0.1' as the host, expected a name or an address alone, such as "
            "127.0.0.1; see hanpuri serve --help",
        ),
        # names that no client calls it by
        (
            ("--allowed-host", "*.example.kr", "--allowed-host", "example.kr:443"),
            "the service: found 'example.kr:443' as an allowed host, expected a name without a port, such as "
            "reviews.example.kr or *.example.kr; see hanpuri serve --help",
        ),
        # no path
        (
            ("--root-path", "restorer"),
            "the service: found 'restorer' as the root path, expected one such as /restorer; see hanpuri serve --help",
        ),
        # no page's site
        (
            ("--cors-origin", "http://["),
            "the service: found http://[ as a page's origin, expected one such as https://reviews.example.kr; "
            "see hanpuri serve --help",
        ),
        # a port that there is not
        (
            ("--cors-origin", "*", "--cors-origin", "https://example.kr:99999"),
            "the service: found https://example.kr:99999 as a page's origin, expected one such as "
            "https://reviews.example.kr; see hanpuri serve --help",
        ),
        # more threads than any machine has
        (
            ("--workers", "2", "--threads", "100000"),
            f"found 200,000 threads of all workers together, expected {8 * count_usable_cpus()} at most here; "
            "leave --threads out, and take no more --workers than there are processors",
        ),
        # a form that there is not
        (
            ("--log-format", "xml"),
            "the service: log_format: Input should be 'text' or 'json' (found 'xml'); see hanpuri serve --help",
        ),
        # two models that clients could not tell apart
        (
            ("--model", "base", "--model", "base"),
            "the service: found one model twice in base, base; see hanpuri serve --help",
        ),
        # a model that there is not
        (("--model", "bose"), "no model is called 'bose'; there are small, base; did you mean base?"),
        # an engine that there is not
        (
            ("--engine", "gpt=chatter:x"),
            "the engine 'chatter:x': engine: no such engine, one of echo, compact, transformers, vllm, llamacpp, "
            "openai (found 'chatter'); write it as NAME:MODEL,key=value, see docs/engines.md",
        ),
        # a database whose password nobody shall read in a log
        (
            ("--database", "mysql://me:secret@db/feedback"),
            "found a database of the kind 'mysql'; expected sqlite:///feedback.db or postgresql://user@host/name",
        ),
        # no URL at all
        (
            ("--database", "me:secret"),
            "the database is given as what is no URL; expected sqlite:///feedback.db or postgresql://user@host/name",
        ),
        # keys that are not there
        (
            ("--api-key-file", "missing.json"),
            "missing.json: no such file or directory; make one with: hanpuri keys add NAME --file missing.json",
        ),
    ],
)
@pytest.mark.usefixtures("own_process")
def test_a_fault_is_one_line_with_its_mend(options, fault, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HanpuriError) as raised:
        run("--port", "0", *options)
    assert str(raised.value) == fault
    assert list(tmp_path.iterdir()) == []


def test_a_fault_that_only_its_workers_find_is_one_line_of_the_process_that_started_them(hanpuri):
    told = ("--port", "0", "--workers", "2", "--api-key-file", "missing.json", "--database", "none")
    outcome = hanpuri("serve", *told)
    assert (outcome.code, outcome.out) == (2, "")
    mend = "make one with: hanpuri keys add NAME --file missing.json"
    assert outcome.err == f"hanpuri: missing.json: no such file or directory; {mend}\n"


def test_without_its_libraries_serving_says_how_to_install_them(monkeypatch):
    monkeypatch.setattr(serving, "LIBRARIES", ("fastapi", "a_library_that_is_not_there"))
    with pytest.raises(HanpuriError) as raised:
        run()
    found = "serving needs the library a_library_that_is_not_there, which is not installed"
    assert str(raised.value) == f'{found}; install it: pip install "hanpuri[serve]"'


@pytest.fixture
def running(tmp_path) -> Running:
    keys = tmp_path / "keys.json"
    keys.write_text('{"keys": []}', encoding="utf-8")
    keys.chmod(stat.S_IRUSR | stat.S_IWUSR)
    settings = ServiceSettings(
        models=("ours=runs/ours/model", "base"),
        engines=("qwen=openai:http://127.0.0.1:8000/v1#qwen3",),
        database="postgresql://hanpuri:secret@db/feedback",
        api_key_file=Path("keys.json"),
        workers=2,
    )
    return Running("http://127.0.0.1:8600", 7, settings)


def test_a_service_that_is_ready_says_where_and_what(running, capsys):
    serving._say_ready(running, as_json=True)
    said = capsys.readouterr()
    assert json.loads(said.out) == {"url": "http://127.0.0.1:8600", "pid": 7}
    assert said.err.splitlines() == [
        "hanpuri 0.1.0 answers at http://127.0.0.1:8600",
        "  models    ours, base, qwen",
        "  feedback  kept in postgresql://hanpuri:***@db/feedback",
        "  keys      keys.json",
        "  workers   2",
        "  ctrl-C ends it",
    ]


def test_where_the_log_is_json_so_is_what_a_ready_service_says(running, capsys, caplog):
    caplog.set_level("INFO", logger="hanpuri.serving")
    quiet = running.settings.model_copy(update={"log_format": "json", "database": "none"})
    serving._say_ready(Running(running.url, 7, quiet), as_json=False)
    assert capsys.readouterr().err == ""
    (record,) = caplog.records
    assert record.about.items() >= {"url": "http://127.0.0.1:8600", "pid": 7, "feedback": "not taken"}.items()


def test_the_command_is_typer_s_and_has_examples(hanpuri):
    outcome = hanpuri("serve", "--help")
    assert outcome.code == 0
    assert "hanpuri serve --model small --workers 4" in outcome.out
    assert isinstance(app, typer.Typer)
