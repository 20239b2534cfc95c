"""
Any text in the page's own scripts: it is shown as it is, and choices of people stay on the syllables that they made.

In: any texts of Unicode, and changes in them. Out: what marking.js and reading.js make of them in a browser.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import Visit

# What JSON can carry to the browser: everything but halves of surrogate pairs.
TEXTS = st.text(
    st.one_of(st.sampled_from("가밥<&\n\u200d\u0301👩😢"), st.characters(exclude_categories=["Cs"])), max_size=30
)

MARK = """([text]) => import('/page/js/marking.js').then(({codePoints, marked}) => {
    const place = document.createElement('p');
    place.append(marked(text, (position) => {
        if (position % 3) return null;
        const mark = document.createElement('span');
        mark.dataset.position = position;
        return mark;
    }));
    const marks = [...place.children].map(one => [one.tagName, Number(one.dataset.position), one.textContent]);
    return [place.textContent, marks, codePoints(text)];
})"""

# A model that turns every syllable into another one; each third of them is chosen to be "손", then the text changes.
READ = """([older, newer]) => import('/page/js/reading.js').then(({Reading}) => {
    const reading = new Reading();
    const answer = (noisy) => ({noisy, text: Array.from(noisy, () => '모').join(''), edits: [], confidences: null,
                                alternatives: []});
    reading.take(answer(older));
    Array.from(older).forEach((_, position) => { if (position % 3 === 0) reading.choose(position, '손'); });
    reading.take(answer(newer));
    return [[...reading.chosen.keys()], reading.text];
})"""


@pytest.fixture(scope="module")
def evaluate(shared_page: Visit):
    """Run a script with arguments on the page."""
    return lambda script, *arguments: shared_page.page.evaluate(script, list(arguments))


@given(TEXTS)
@settings(max_examples=60)
def test_any_text_is_shown_as_it_is_with_marks_on_its_code_points(evaluate, text):
    shown, marks, points = evaluate(MARK, text)
    assert shown == text
    assert points == list(text)
    assert marks == [["SPAN", place, text[place]] for place in range(0, len(text), 3)]


@given(TEXTS, TEXTS, TEXTS, TEXTS)
@settings(max_examples=60)
def test_choices_stay_where_the_text_around_a_change_is_the_same(evaluate, head, before, after, tail):
    # Digits at the ends make plain where the change begins and ends; "aa" from "a" leaves that open.
    older, newer = f"{head}1{before}1{tail}", f"{head}2{after}2{tail}"
    chosen, text = evaluate(READ, older, newer)
    shift, end = len(newer) - len(older), len(head) + len(before) + 2
    places = range(0, len(older), 3)
    assert chosen == [p for p in places if p < len(head)] + [p + shift for p in places if p >= end]
    assert text == "".join("손" if place in chosen else "모" for place in range(len(newer)))


def test_an_answer_of_another_length_is_shown_without_marks(opened):
    told = {
        "model": "qwen",
        "milliseconds": 1.0,
        "noisy": "확잠실",
        "text": "화장실이다",
        "edits": [],
        "alternatives": [],
    }
    opened.page.route("**/v1/restore", lambda route: route.fulfill(json=told | {"confidences": None}))
    opened.restore("확잠실", "화장실이다")
    assert opened.page.locator("#restored [data-position]").count() == 0
    told = "글자 수가 달라져서 바뀐 곳은 표시하지 않아요 · 1ms"
    assert opened.page.locator("#restored-count").inner_text() == told
