"""
GET /v1/models and /v1/service: what there is, for OpenAI's client and for the page.

In: services of compact models, of engines, of both. Out: names, and what each can do.
"""

import openai
import pytest
from starlette.testclient import TestClient

from hanpuri import __version__
from hanpuri.serving.app import create_app
from hanpuri.serving.settings import ServiceSettings


@pytest.fixture
def ask(tmp_path):
    """Ask an application of given settings, started in this process."""

    def get(path: str, **told: object) -> dict[str, object]:
        settings = ServiceSettings.model_validate({"database": "none", **told})
        (tmp_path / "secret").write_bytes(b"0" * 32)
        with TestClient(create_app(settings, tmp_path), base_url="http://127.0.0.1:8600") as client:
            answer = client.get(path)
            assert answer.status_code == 200, answer.text
            return answer.json()

    return get


def test_openai_s_client_reads_the_models(serve):
    with openai.OpenAI(base_url=f"{serve().url}/v1", api_key="none needed", max_retries=0) as client:
        models = list(client.models.list())
    assert [model.id for model in models] == ["base", "small"]
    assert all(model.object == "model" and model.owned_by == "hanpuri" and model.created > 0 for model in models)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"models": ("small",)}, [("small", True, False, True)]),
        # what restores comes first; a name may be given
        (
            {"models": ("tiny=small",), "engines": ("copy=echo", "held=compact:small")},
            [("tiny", True, False, True), ("copy", True, True, False), ("held", True, False, False)],
        ),
        ({"models": (), "engines": ("copy=echo",)}, [("copy", True, True, True)]),
    ],
)
def test_every_model_says_what_it_can_do(ask, told, expected):
    models = ask("/v1/models", **told)["data"]
    assert [tuple(model[key] for key in ("id", "restores", "chats", "default")) for model in models] == expected


@pytest.mark.parametrize(
    ("told", "feedback", "compare", "chat"),
    [
        ({"models": ("small",)}, False, False, False),
        ({"models": ("small",), "engines": ("copy=echo",)}, False, True, True),
        ({"models": ("small", "base"), "database": "sqlite://"}, True, True, False),
    ],
)
def test_the_page_is_told_what_there_is(ask, tmp_path, told, feedback, compare, chat):
    if "database" in told:
        told = {**told, "database": f"sqlite:///{tmp_path / 'feedback.db'}"}
    limits = {"texts": 7, "characters": 50, "body_bytes": 2_000}
    found = ask("/v1/service", limits=limits, **told)
    assert found == {
        **{"version": __version__, "limits": limits},
        **{"feedback": feedback, "compare": compare, "chat": chat},
    }
