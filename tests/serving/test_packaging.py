"""
What carries the service to other machines holds what it says: the image, compose.yaml, the systemd unit.

In: the files themselves; no container engine is needed. Out: a linter without complaints, names that exist, a health
check that tells a service that answers from one that does not.
"""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hanpuri.cli.app import app
from hanpuri.serving.settings import Limits, ServiceSettings

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = REPOSITORY / "Dockerfile"
COMPOSE = REPOSITORY / "compose.yaml"
UNIT = REPOSITORY / "packaging" / "hanpuri.service"
ENVIRONMENTS = [REPOSITORY / "packaging" / name for name in ("compose.env", "hanpuri.env")]
# What compose.yaml alone knows.
OF_COMPOSE = {"HANPURI_EXTRAS", "HANPURI_MEMORY", "HANPURI_DATABASE_PASSWORD"}


def variables() -> set[str]:
    """The names by which the environment tells `hanpuri serve` what it is told."""
    serve = typer.main.get_command(app).commands["serve"]
    return {str(parameter.envvar) for parameter in serve.params if parameter.envvar}


def instructions() -> list[tuple[str, str]]:
    """The instructions of the image's last stage."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    stage = re.split(r"^FROM ", text.replace("\\\n", " "), flags=re.MULTILINE)[-1]
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in stage.splitlines()[1:]) if name]


def value_of(name: str) -> str:
    """What the last stage says of something."""
    return [rest for one, rest in instructions() if one == name][-1]


def directives() -> list[tuple[str, str]]:
    """The lines of the systemd unit."""
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    return [
        (name, value) for name, is_set, value in (line.partition("=") for line in lines) if is_set and name[0] != "#"
    ]


def run_tool(name: str, *options: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment that the tests run in; what it complains of is all in `stdout`."""
    command = [Path(sys.executable).with_name(name), *options]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


# --- the image


def test_the_linter_has_no_complaint():
    finished = run_tool("hadolint", "--no-color", DOCKERFILE)
    assert (finished.returncode, finished.stdout) == (0, "")


def test_the_image_runs_as_a_number_that_is_not_root():
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", value_of("USER"))


def test_the_image_starts_hanpuri_itself_which_is_told_to_end_by_the_signal_that_it_knows():
    assert json.loads(value_of("ENTRYPOINT")) == ["hanpuri"]
    assert json.loads(value_of("CMD")) == ["serve"]
    assert value_of("STOPSIGNAL") == "SIGTERM"


def test_the_image_tells_the_service_only_what_it_understands():
    told = " ".join(rest for name, rest in instructions() if name == "ENV")
    names = set(re.findall(r"(HANPURI_\w+)=", told))
    assert "HANPURI_API_KEY_FILE" in names
    assert names <= variables()


def test_all_that_the_image_copies_is_let_through_to_the_builder():
    text = DOCKERFILE.read_text(encoding="utf-8")
    copied = {path for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE) for path in line.split()}
    ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert all((REPOSITORY / path).exists() for path in copied)


def healthy(port: int) -> int:
    """Run the image's health check against a port of this machine."""
    _, _, command = value_of("HEALTHCHECK").partition("CMD ")
    _, *rest = json.loads(command)
    environment = {**os.environ, "HANPURI_PORT": str(port)}
    return subprocess.run([sys.executable, *rest], env=environment, stderr=subprocess.DEVNULL, check=False).returncode


def test_the_health_check_tells_a_service_that_answers_from_one_that_does_not(serve):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[1]
    assert (healthy(serve().port), healthy(nobody)) == (0, 1)


def test_what_the_image_is_made_of_is_what_the_package_asks_for():
    lines = (REPOSITORY / "packaging" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [Requirement(line) for line in (*project["dependencies"], *extras["serve"], *extras["postgres"])]
    outside = [
        str(one)
        for one in asked
        if one.name != "hanpuri" and not one.specifier.contains(pinned.get(canonicalize_name(one.name), "0"))
    ]
    assert outside == []


# --- compose


@pytest.fixture(scope="module")
def services():
    """The services of compose.yaml."""
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]


def test_no_container_may_write_to_its_own_files_or_gain_rights(services):
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service


def test_only_the_service_can_be_reached_and_only_from_this_machine(services):
    assert services["hanpuri"]["ports"] == ["127.0.0.1:8600:8600"]
    assert "ports" not in services["database"]
    assert services["database"]["networks"] == ["inside"]
    assert yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["networks"]["inside"] == {"internal": True}


def test_the_database_is_there_only_for_those_who_ask_for_it(services):
    assert services["database"]["profiles"] == ["postgres"]
    assert services["hanpuri"]["depends_on"]["database"]["required"] is False


def test_the_service_has_longer_to_end_than_accepted_requests_have(services):
    for told in (services["hanpuri"]["stop_grace_period"], dict(directives())["TimeoutStopSec"]):
        assert int(told.removesuffix("s")) > Limits().shutdown_seconds


def test_compose_finds_what_it_knows_in_its_file():
    finished = run_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)
    assert (finished.returncode, finished.stdout) == (0, "ok -- validation done\n")


def test_what_compose_takes_from_its_surroundings_is_told_in_the_example():
    taken = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text(encoding="utf-8")))
    told = set(re.findall(r"^#?(\w+)=", ENVIRONMENTS[0].read_text(encoding="utf-8"), re.MULTILINE))
    assert told - {"COMPOSE_PROFILES"} == taken


def test_the_examples_name_only_what_there_is(services):
    named = {
        name for path in ENVIRONMENTS for name in re.findall(r"\b(HANPURI_\w+)=", path.read_text(encoding="utf-8"))
    }
    assert named - OF_COMPOSE <= variables()
    assert set(services["hanpuri"]["environment"]) <= variables()


# --- systemd


def test_the_unit_tells_the_service_only_what_it_understands():
    names = {value.partition("=")[0] for name, value in directives() if name == "Environment"}
    assert names == {"HANPURI_DATABASE", "HANPURI_API_KEY_FILE"}
    assert names <= variables()
    assert dict(directives())["ExecStart"].endswith("/hanpuri serve")


def test_the_unit_keeps_feedback_where_it_may_write():
    told = dict(directives())
    (database,) = [value for name, value in directives() if value.startswith("HANPURI_DATABASE=")]
    assert database == f"HANPURI_DATABASE=sqlite:///{told['WorkingDirectory']}/feedback.db"
    assert told["WorkingDirectory"] == f"/var/lib/{told['StateDirectory']}"


HARDENED = {
    "DynamicUser": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "NoNewPrivileges": "yes",
    "PrivateTmp": "yes",
    "MemoryDenyWriteExecute": "yes",
    "CapabilityBoundingSet": "",
}


def test_the_unit_takes_from_the_service_what_it_does_not_need():
    assert HARDENED.items() <= dict(directives()).items()


def test_restoring_writes_no_code_into_memory_which_the_unit_forbids():
    # PR_SET_MDWE, which Linux has since 6.3; before that the call is refused and nothing is forbidden.
    forbid = "import ctypes; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)"
    restore = "import hanpuri; print(hanpuri.restore('확잠실읾', model='small'))"
    environment = {**os.environ, "PYTHONUTF8": "1"}
    command = [sys.executable, "-c", f"{forbid}; {restore}"]
    finished = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=False)
    assert (finished.stdout, finished.stderr) == ("화장실이\n", "")


def test_systemd_understands_the_unit_where_there_is_one(tmp_path):
    unit = tmp_path / UNIT.name
    unit.write_text(
        UNIT.read_text(encoding="utf-8").replace("/opt/hanpuri/bin/hanpuri", shlex.quote(sys.executable)), "utf-8"
    )
    if shutil.which("systemd-analyze"):
        command = ["systemd-analyze", "verify", "--man=no", str(unit)]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (finished.returncode, finished.stderr) == (0, "")


def test_the_port_is_the_same_everywhere():
    port = str(ServiceSettings().port)
    assert value_of("EXPOSE") == port
    assert f"HANPURI_PORT={port}" in ENVIRONMENTS[1].read_text(encoding="utf-8")
    assert f"server 127.0.0.1:{port};" in (REPOSITORY / "packaging" / "nginx.conf").read_text(encoding="utf-8")
