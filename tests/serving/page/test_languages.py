"""
Korean and English: both say everything, a switch is enough and is remembered, and no word stands outside the lists.

In: the page as it is served, and its word lists. Out: what stands on it in each language.
"""

import re
from html.parser import HTMLParser

import pytest
from playwright.sync_api import Page, expect

from hanpuri.serving.api.page import PAGE

NOISY, CLEAN = "확잠실읾 념뭄 잙앙욤", "화장실이 너무 작아요"
HANGUL = re.compile("[ㄱ-ㅎㅏ-ㅣ가-힣]")
# What stands on the page in Korean whatever its language: people's texts, their marks, and the other language's name.
VISIBLE = """() => {
    const texts = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const around = walk.currentNode.parentElement;
        if (!around.closest('[lang=ko]:not(html), noscript, script') && around.checkVisibility()) {
            texts.push(walk.currentNode.textContent.trim());
        }
    }
    for (const name of ['aria-label', 'placeholder', 'title', 'alt']) {
        for (const one of document.querySelectorAll(`[${name}]`)) {
            if (!one.closest('#restored') && one.checkVisibility()) texts.push(one.getAttribute(name));
        }
    }
    return texts.filter(Boolean);
}"""


class Texts(HTMLParser):
    """What index.html says by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.inside: list[str] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside.append(tag)
        spoken = {"aria-label", "placeholder", "title"}
        self.found += [value for name, value in attrs if name in spoken and value]

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip() and not {"noscript", "title"} & set(self.inside):
            self.found.append(data.strip())


@pytest.fixture(scope="module")
def words(browser, served) -> dict[str, dict[str, str]]:
    page = browser.new_page()
    page.goto(served.url)
    found: dict[str, dict[str, str]] = page.evaluate("import('/page/js/words/all.js').then(({words}) => words)")
    page.context.close()
    return found


def test_both_languages_have_every_word_with_the_same_values(words):
    for key, entry in words.items():
        assert set(entry) == {"ko", "en"}, key
        assert all(text.strip() == text != "" for text in entry.values()), key
        values = [sorted(set(re.findall(r"\{\w+\}", text))) for text in entry.values()]
        assert values[0] == values[1], key


def test_examples_are_not_broken_at_their_arrow(words):
    texts = [text for entry in words.values() for text in entry.values() if "→" in text]
    assert len(texts) == 8
    assert all("\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}" in text for text in texts)


def test_every_word_that_the_page_asks_for_is_in_the_lists_and_every_one_is_asked_for(words):
    files = {name: file.content.decode() for name, file in PAGE.files.items() if name.endswith((".html", ".js"))}
    asking = "".join(text for name, text in files.items() if not name.startswith(("js/words/", "vendor/")))
    named = set(re.findall(r'data-words(?:-\w+)?="([^"]+)"', files["index.html"]))
    assert named <= set(words)
    rooms = {key.partition(".")[0] for key in words}
    unknown = {key for key in re.findall(r'"([a-z]+\.[a-z0-9_]+)"', asking) if key.partition(".")[0] in rooms}
    assert unknown <= set(words)
    computed = ("fault.", "restore.kind_")  # `fault.${status}`, `restore.kind_${kind}`
    assert [key for key in words if not key.startswith(computed) and f'"{key}"' not in asking] == []


def test_no_word_stands_in_the_page_itself():
    texts = Texts()
    texts.feed(PAGE.files["index.html"].content.decode())
    assert texts.found == []


def speak_english(page: Page) -> None:
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_the_browsers_language_is_spoken_until_a_switch_which_changes_all_of_it_and_is_remembered(visit):
    opened = visit(language="ko")
    page = opened.page
    assert page.title() == "한풀이: 꼬인 한글 되살리기"
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    opened.restore(NOISY, CLEAN)
    speak_english(page)
    assert page.title() == "Hanpuri: restore obfuscated Korean"
    assert re.fullmatch(r"Changed: 8 · \d+ ms", page.locator("#restored-count").inner_text())
    assert page.locator("#restored [data-position]").first.get_attribute("aria-label").startswith("화, written 확, ")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.evaluate("({...localStorage})") == {"hanpuri.language": "en"}


def test_no_korean_is_left_in_english_but_peoples_texts_and_examples(visit, words):
    opened = visit(language="en")
    page = opened.page
    assert page.title() == "Hanpuri: restore obfuscated Korean"
    opened.restore(NOISY, CLEAN)
    page.locator("#restored [data-position]").first.click()
    english = [re.sub(r"\\\{\w+\\\}", ".*", re.escape(entry["en"])) for entry in words.values()]
    for tab in ("restore", "obfuscate", "compare"):
        texts = page.evaluate(VISIBLE)
        assert len(texts) > 10
        korean = [text for text in texts if HANGUL.search(text)]
        assert [text for text in korean if not any(re.fullmatch(one, text) for one in english)] == [], tab
        page.locator("#tab-compare" if tab == "obfuscate" else "#tab-obfuscate").click()
