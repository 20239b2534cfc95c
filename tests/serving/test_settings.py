"""What a service may be told."""

import pytest
from pydantic import ValidationError

from hanpuri.serving.app import create_app
from hanpuri.serving.settings import Limits, ServiceSettings


@pytest.mark.parametrize("name", ["request_seconds", "idle_seconds", "shutdown_seconds"])
@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e300, 86_401])
def test_no_time_is_longer_than_the_clocks_of_a_service_can_run(name, seconds):
    with pytest.raises(ValidationError):
        Limits(**{name: seconds})


@pytest.mark.parametrize("host", ["*", "localhost", "*.example.kr", "127.0.0.1", "::1", "[::1]", "한글.kr", "my_host"])
def test_every_name_that_a_client_may_call_is_taken(host):
    assert ServiceSettings(allowed_hosts=(host,)).allowed_hosts == (host,)


@pytest.mark.parametrize("host", ["", "*kr", "a*b", "http://a.kr", "a.kr:80", "a.kr/", "a b", "*.", "user@a.kr"])
def test_what_no_client_can_call_is_refused(host):
    with pytest.raises(ValidationError, match="as an allowed host, expected a name without a port"):
        ServiceSettings(allowed_hosts=(host,))


def test_a_root_path_is_taken_without_a_word_of_the_libraries(tmp_path):
    assert create_app(ServiceSettings(root_path="/restorer"), tmp_path).root_path == "/restorer"


@pytest.mark.parametrize("path", ["restorer", "https://a.kr/b", "/", "//a.kr", "/a b", "/a?b"])
def test_a_root_path_that_is_no_path_is_refused(path):
    with pytest.raises(ValidationError, match="as the root path, expected one such as /restorer"):
        ServiceSettings(root_path=path)
