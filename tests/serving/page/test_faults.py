"""
What the page does when the service wants a key, is busy, is away, or refuses: it says so, and goes on by itself.

In: a service with keys; a network that is cut; answers of the kinds that a busy service gives. Out: what people read.
"""

import subprocess
import sys

import pytest
from playwright.sync_api import Route, expect

NOISY, CLEAN = "확잠실읾 념뭄 잙앙욤", "화장실이 너무 작아요"
AWAY = "서비스에 연결되지 않아요. 다시 연결되면 하던 일을 이어서 할게요."


def refuse_once(status: int, **headers: str):
    """Answer the first request with a fault, and let all others pass."""
    asked: list[Route] = []

    def answer(route: Route) -> None:
        asked.append(route)
        if len(asked) == 1:
            route.fulfill(status=status, headers=headers, json={"error": "found much", "mend": "come again"})
        else:
            route.continue_()

    return answer


@pytest.fixture(scope="module")
def key_file(tmp_path_factory):
    """A file of keys, and the key in it."""
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    command = [sys.executable, "-m", "hanpuri", "keys", "add", "page", "--file", str(path)]
    key = subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
    return path, key


def test_a_key_is_asked_for_and_kept_for_the_tab_and_only_what_is_served_is_shown(visit, serve, key_file):
    path, key = key_file
    lean = serve("--api-key-file", str(path), "--model", "base", "--database", "none")
    opened = visit(lean, ready=False)
    opened.expected.append("status of 401")
    page = opened.page
    form, field = page.locator("#key"), page.get_by_label("API 키", exact=True)
    expect(form).to_be_visible()
    expect(field).to_be_focused()
    field.fill("hanpuri_wrong")
    field.press("Enter")
    expect(page.locator("#key-fault")).to_have_text("맞지 않는 키예요. 다시 확인해 주세요.")
    assert opened.violations() == []
    field.fill(key)
    field.press("Enter")
    expect(form).to_be_hidden()
    expect(page.locator("#tab-restore")).to_be_focused()
    opened.restore(NOISY, CLEAN)
    opened.seen.clear()
    opened.expected.clear()
    page.reload()
    opened.restore(NOISY, CLEAN)
    assert page.evaluate("[{...localStorage}, Object.keys(sessionStorage)]") == [{}, ["hanpuri.key"]]
    opened.expected.append("status of 401")
    page.route("**/v1/restore", refuse_once(401))  # taken away while somebody writes
    page.locator("#noisy").press("End")
    page.keyboard.type("!")
    expect(form).to_be_visible()
    expect(page.locator("#noisy")).to_be_focused()
    expect(page.locator("#notice")).to_have_text("API 키가 필요해요")
    field.fill(key)
    field.press("Enter")
    expect(page.locator("#restored")).to_have_text(CLEAN + "!")
    expect(page.locator("#notice")).to_be_empty()
    for absent in ("#feedback", "#model-choice", "#tab-compare"):  # takes no feedback, has one model
        expect(page.locator(absent)).to_be_hidden()


def test_a_busy_service_is_asked_again_when_it_says(opened):
    opened.expected.append("status of 429")
    page = opened.page
    page.route("**/v1/restore", refuse_once(429, **{"Retry-After": "1"}))
    page.locator("#noisy").fill(NOISY)
    expect(page.locator("#notice")).to_have_text("지금은 요청이 많아요. 1초 뒤에 다시 해 볼게요.")
    expect(page.locator("#restored")).to_have_text(CLEAN)
    expect(page.locator("#notice")).to_be_empty()


def test_a_service_that_ends_is_waited_for(opened):
    opened.expected.append("status of 503")
    page = opened.page
    page.route("**/v1/restore", refuse_once(503, **{"Retry-After": "1"}))
    page.locator("#noisy").fill(NOISY)
    expect(page.locator("#notice")).to_have_text(AWAY)
    expect(page.locator("#restored")).to_have_text(CLEAN)
    expect(page.locator("#notice")).to_be_empty()


def test_a_cut_network_is_said_and_the_work_goes_on_when_it_is_back(opened):
    opened.expected.append("ERR_INTERNET_DISCONNECTED")
    page = opened.page
    opened.context.set_offline(True)
    page.locator("#noisy").fill(NOISY)
    expect(page.locator("#notice")).to_have_text(AWAY)
    opened.context.set_offline(False)
    expect(page.locator("#restored")).to_have_text(CLEAN)
    expect(page.locator("#notice")).to_be_empty()


def test_a_server_behind_that_fails_is_asked_three_times_more_and_then_by_a_button(opened):
    opened.expected.append("status of 502")
    page = opened.page
    asked: list[Route] = []

    def fail(route: Route) -> None:
        asked.append(route)
        route.fulfill(status=502, headers={"Retry-After": "0"}, body="<html>no JSON</html>")

    opened.restore(NOISY, CLEAN)
    page.locator('#restored [data-position="9"]').click()
    page.locator("#choices-list [role=option]").filter(has_text="앙").click()
    page.route("**/v1/restore", fail)
    page.locator("#noisy").fill(NOISY + "!")
    expect(page.locator("#noisy-fault")).to_have_text("서비스에 문제가 생겼어요. 잠시 뒤에 다시 해 주세요.")
    expect(page.locator("#notice")).to_be_empty()
    assert len(asked) == 4
    page.unroute("**/v1/restore")
    page.locator("#retry").click()
    expect(page.locator("#restored")).to_have_text("화장실이 너무 작앙요!")  # with what was chosen before
    expect(page.locator("#retry")).to_be_hidden()
    expect(page.locator("#noisy")).to_be_focused()


def test_a_service_that_fails_while_the_page_opens_is_asked_again(visit):
    opened = visit()
    opened.expected.append("status of 500")
    page = opened.page
    page.route("**/v1/service", refuse_once(500))
    page.clock.install()
    page.reload()
    expect(page.locator("#notice")).to_have_text("서비스에 문제가 생겼어요. 잠시 뒤에 다시 해 주세요.")
    page.clock.run_for(10_000)
    expect(page.locator("#version")).not_to_be_empty()
    expect(page.locator("#notice")).to_be_empty()


REFUSALS = (
    (
        422,
        "이 글은 처리하지 못했어요. 글을 줄이거나 다른 모델을 골라 보세요.",
    ),  # for instance a limit that changed while the page was open
    (413, "글이 너무 길어서 서비스가 받지 않았어요."),
    (404, "요청한 것을 서비스에서 찾지 못했어요."),  # a model that is no longer served
    (418, "서비스가 요청을 이해하지 못했어요."),  # whatever else a proxy may answer
)


def test_a_refusal_is_said_in_the_language_of_the_page(opened):
    page, pattern = opened.page, "**/v1/restore"
    for number, (status, told) in enumerate(REFUSALS):
        opened.expected.append(f"status of {status}")
        page.route(pattern, refuse_once(status))
        page.locator("#noisy").fill(NOISY + "." * number)
        expect(page.locator("#noisy-fault")).to_have_text(told)
        expect(page.locator("#restored")).to_be_empty()
        expect(page.locator("#retry")).to_be_hidden()  # the same would be refused again
        page.unroute(pattern)
    opened.restore(NOISY + "!", CLEAN + "!")
    expect(page.locator("#noisy-fault")).to_be_empty()
