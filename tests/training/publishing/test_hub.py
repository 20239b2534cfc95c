"""Pushing, for real, to a server on this machine that answers as the hub does; the token is seen by nobody else."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hanpuri.errors import ModelError
from hanpuri.training.publishing import hub
from hanpuri.training.publishing.publish import publish

SECRET = "hf_" + "geheim" * 5
FILES = {
    "README.md": b"---\nlanguage:\n- ko\n---\n# faq\n",
    "config.json": b"{}",
    "model.safetensors": bytes(range(256)) * 40,
}


class Hub(ThreadingHTTPServer):
    """The few answers that the client needs, and what it brought."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.repositories: dict[str, dict] = {}
        self.objects: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.tokens: set[str | None] = set()


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *told):
        pass

    def answer(self, content=None, status=200):
        body = json.dumps({} if content is None else content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def read(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_GET(self):
        self.server.tokens.add(self.headers.get("Authorization"))
        if self.headers.get("Authorization") != f"Bearer {SECRET}":
            self.answer({"error": f"no such token: {self.headers.get('Authorization')}"}, 401)
        elif self.path.startswith("/api/whoami-v2"):
            self.answer({"type": "user", "name": "mina", "orgs": [{"name": "lab"}]})
        elif (name := self.path.removeprefix("/api/models/").partition("/revision")[0]) in self.server.repositories:
            is_private = self.server.repositories[name]["visibility"] == "private"
            self.answer({"id": name, "sha": "0" * 40, "siblings": [], "private": is_private})
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_POST(self):
        body = self.read()
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'mina'}/{asked['name']}"
            self.server.repositories[name] = asked
            self.answer({"url": f"{self.server.url}/{name}"})
        elif "/preupload/" in self.path:
            modes = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith("tensors") else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            self.answer({"files": modes})
        elif self.path.endswith("/objects/batch"):
            objects = [
                {**one, "actions": {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            self.answer({"transfer": "basic", "objects": objects})
        elif "/commit/" in self.path:
            self.commit(body)
        else:  # /api/validate-yaml
            self.answer({"errors": [], "warnings": []})

    def commit(self, body):
        for line in body.decode().splitlines():
            told = json.loads(line)
            if told["key"] == "file":
                self.server.files[told["value"]["path"]] = base64.b64decode(told["value"]["content"])
            elif told["key"] == "lfsFile":
                self.server.files[told["value"]["path"]] = self.server.objects[told["value"]["oid"]]
        self.answer({"commitUrl": f"{self.server.url}/mina/faq/commit/{'1' * 40}", "commitOid": "1" * 40})

    def do_PUT(self):
        content = self.read()
        self.server.objects[hashlib.sha256(content).hexdigest()] = content
        self.answer()


@pytest.fixture
def server(monkeypatch):
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)  # our server speaks the older protocol
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", SECRET)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize("private", [True, False])
def test_a_folder_is_pushed_file_for_file(server, folder, private):
    hub.check_repository("mina/faq", private=True, force=False)
    assert hub.push(folder, "mina/faq", private=private) == f"{server.url}/mina/faq"
    assert server.files == FILES
    assert server.repositories["mina/faq"]["visibility"] == ("private" if private else "public")


def test_a_repository_that_is_there_is_written_into_only_if_told(server, folder):
    hub.push(folder, "mina/faq", private=True)
    with pytest.raises(ModelError) as caught:
        hub.check_repository("mina/faq", private=True, force=False)
    assert str(caught.value) == (
        "mina/faq: found a repository of that name; give another name, or --force to write into it"
    )
    hub.check_repository("mina/faq", private=True, force=True)


def test_what_is_private_is_not_written_into_a_public_repository(server, folder):
    hub.push(folder, "mina/faq", private=False)
    with pytest.raises(ModelError) as caught:
        hub.check_repository("mina/faq", private=True, force=True)
    assert str(caught.value) == (
        "mina/faq: found a public repository, expected a private one; change it on the hub, or say --public"
    )


def test_a_run_is_published_into_a_repository_whole(server, make_run):
    run, told = make_run(), []
    published = publish(run, "hub:mina/faq", report=told.append)
    assert published.url == f"{server.url}/mina/faq"
    assert {file.name: file.sha256 for file in published.files} == {
        name: hashlib.sha256(content).hexdigest() for name, content in server.files.items()
    }
    assert told[-1] == "pushing to mina/faq"
    written = b"".join(path.read_bytes() for path in run.rglob("*") if path.is_file())
    assert SECRET.encode() not in written


@pytest.mark.parametrize("name", ["mina/new", "lab/new"])
def test_one_s_own_name_and_one_s_organisations_are_free(server, name):
    hub.check_repository(name, private=True, force=False)


def test_another_s_name_is_refused_before_the_long_part(server):
    with pytest.raises(ModelError) as caught:
        hub.check_repository("yuna/faq", private=True, force=False)
    assert str(caught.value) == (
        "yuna/faq: found the token of lab, mina, expected one of yuna; give your own name, or the token of this user"
    )


def test_without_a_network_it_is_one_line_without_the_token(server, folder, capfd, caplog):
    server.shutdown()
    server.server_close()
    with pytest.raises(
        ModelError, match=r"^mina/faq: the hub was not reached or refused \(.+\); look at the network"
    ) as caught:
        hub.check_repository("mina/faq", private=True, force=False)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match=r"; the finished folder is .*: mend that, and publish again, or: hf upload"):
        hub.push(folder, "mina/faq", private=True)


def test_the_token_is_in_no_line_and_no_file(server, folder, monkeypatch, capfd, caplog):
    hub.push(folder, "mina/faq", private=True)
    wrong = SECRET.replace("geheim", "falsch")
    monkeypatch.setenv("HF_TOKEN", wrong)
    with pytest.raises(ModelError, match=r"^mina/faq: the hub was not reached or refused") as caught:
        hub.check_repository("mina/faq", private=True, force=False)
    told = "".join([str(caught.value), *capfd.readouterr(), caplog.text])
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert SECRET not in told
    assert wrong not in told
    assert SECRET.encode() not in written
    assert f"Bearer {wrong}" in server.tokens, "the client did send it, to the hub alone"
