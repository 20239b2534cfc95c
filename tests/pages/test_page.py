"""
Pages: what stands in their HTML, and what can never get into it.

In: sections. Out: one HTML file that needs nothing else.
"""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.pages.page import (
    MAX_SHOWN,
    Marked,
    Noted,
    Notices,
    Numbers,
    Page,
    Paragraph,
    Piece,
    Plots,
    RowText,
    Score,
    Section,
    Share,
    Specimen,
    Specimens,
    Table,
    render,
)
from hanpuri.pages.plots import bars


class Reader(HTMLParser):
    """Reads a page as a browser does: its tags, and the texts of the data in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.row_texts: list[str] = []
        self.inside = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "bdi":
            self.inside = True
            self.row_texts.append("")

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "bdi"

    def handle_data(self, data):
        if self.inside:
            self.row_texts[-1] += data


def page(*blocks, title="Rows") -> str:
    return render(Page("Report", "On two rows.", (Section(title, blocks),)))


def cells(html: str) -> list[str]:
    return re.findall(r"<td[^>]*>.*?</td>", html)


# --- what stands in a page


def test_a_heading_can_be_linked_to():
    html = page(Paragraph("Two rows."), title="Rows & steps")
    assert '<h2 id="rows-steps"><a href="#rows-steps">Rows &amp; steps</a></h2>' in html
    assert '<li><a href="#rows-steps">Rows &amp; steps</a></li>' in html
    assert "<p>Two rows.</p>" in html


def test_figures_stand_on_the_right_and_rows_are_marked_as_korean():
    html = page(Table(("label", "rows", "share"), ((RowText("긍정"), 1234567, Share(0.5)), ("none", None, Share(0)))))
    assert cells(html) == [
        '<td><bdi lang="ko">긍정</bdi></td>',
        '<td class="figure">1,234,567</td>',
        '<td class="figure">50.0 %</td>',
        "<td>none</td>",
        '<td class="figure">–</td>',
        '<td class="figure">0 %</td>',
    ]
    assert '<th scope="col" class="figure">rows</th>' in html


def test_a_score_has_its_interval_below_and_the_best_stands_out():
    row = (Noted("cer ↓", "edits < 1"), Score("0.1000", "0.08 to 0.12"), Score("0.0500", best=True))
    html = page(Table(("measure", "a", "openai:http://b"), (row,)))
    assert cells(html) == [
        "<td>cer ↓<small>edits &lt; 1</small></td>",
        '<td class="figure">0.1000<small>0.08 to 0.12</small></td>',
        '<td class="figure"><strong title="the best">★ 0.0500</strong></td>',
    ]
    # an address has no spaces to break a line at
    assert "openai:<wbr>http:<wbr>/<wbr>/<wbr>b</th>" in html


def test_rows_to_be_read_one_by_one_say_what_is_wrong_with_them():
    pieces = (
        Piece("방이 <"),
        Piece("오", "wrong", "ㅗ→ㅛ", 'vowel "ㅗ"'),
        Piece("!", "extra", told="too much"),
        Piece("?", "missing"),
    )
    lines = (("noisy", RowText("빵")), ("restored <b>", Marked(pieces)))
    html = page(Specimens("The worst", (Specimen("row 1 <b>", lines),)))
    assert '<h3 class="specimens">The worst</h3>' in html
    assert "<p>row 1 &lt;b&gt;</p>" in html
    assert '<dt>noisy</dt><dd><bdi lang="ko">빵</bdi></dd>' in html
    assert '<dt>restored &lt;b&gt;</dt><dd><bdi lang="ko">방이 &lt;<mark title="vowel &#34;ㅗ&#34;">' in html
    assert "<ruby>오<rt>ㅗ→ㅛ</rt></ruby></mark>" in html
    assert '<del title="too much">!</del><ins>?</ins></bdi></dd>' in html
    assert "<details>" not in html


def test_many_rows_are_folded_away():
    html = page(Specimens("The worst", (Specimen("row 1", (("noisy", RowText("빵")),)),), folded=True))
    assert "<details><summary>The worst</summary>" in html
    assert html.count("</details>") == 1


def test_a_cell_may_hold_several_rows():
    assert Reader(page(Table(("samples",), (((RowText("가"), RowText("나")),),)))).row_texts == ["가", "나"]


def test_an_empty_table_says_so():
    assert '<p class="faint">Overlap: no file was named</p>' in page(
        Table(("file", "rows"), (), "Overlap", "no file was named")
    )


def test_warnings_come_with_their_mend_and_none_is_said_too():
    assert '<li>Few rows. <span class="mend">Add some.</span></li>' in page(
        Notices((("Few rows.", "Add some."),), "Fine.")
    )
    assert '<p class="calm">Fine.</p>' in page(Notices((), "Fine."))


def test_numbers_have_names():
    assert "<div><dt>rows</dt><dd>1,000</dd></div>" in page(Numbers((("rows", 1000),)))


def test_a_plot_has_a_title_a_legend_for_several_series_and_says_what_it_shows():
    both = {"train": [1, 2], "<test>": [2, 1]}
    html = page(Plots((bars("Labels", ["긍정", "부정"], both, axes=("label", "rows"), told="As many & more."),)))
    assert "<h3>Labels</h3>" in html
    assert '<i style="background: var(--series-2)"></i>&lt;test&gt;</li>' in html
    assert "<figcaption>As many &amp; more.</figcaption>" in html
    assert '<svg role="img" aria-label="Labels: As many &amp; more."' in html
    alone = page(Plots((bars("Labels", ["긍정"], {"rows": [1]}, axes=("label", "rows"), told="One."),)))
    assert '<ul class="legend">' not in alone


def test_the_same_page_gives_the_same_bytes():
    table = Table(("label", "rows"), ((RowText("긍정"), 1),))
    assert page(table) == page(table)


# --- what cannot get into a page


@settings(max_examples=200)
@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\0"), max_size=50))
def test_any_text_of_a_row_comes_out_as_text(text):
    read = Reader(page(Table(("text",), ((RowText(text),),))))
    assert read.row_texts == [text]
    assert {tag for tag, _ in read.tags} <= {tag for tag, _ in Reader(page(Table(("text",), (("가",),)))).tags} | {
        "bdi"
    }


HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(1)>" onload="alert(1)'


@pytest.mark.parametrize(
    "blocks",
    [
        (Paragraph(HOSTILE),),
        (Numbers(((HOSTILE, HOSTILE),)),),
        (Notices(((HOSTILE, HOSTILE),), ""),),
        (Notices((), HOSTILE),),
        (Table((HOSTILE,), ((HOSTILE,), (RowText(HOSTILE),)), HOSTILE),),
        (Table(("a",), (), HOSTILE, HOSTILE),),
        (Plots((bars(HOSTILE, [HOSTILE], {HOSTILE: [1], "b": [2]}, axes=(HOSTILE, HOSTILE), told=HOSTILE),)),),
    ],
)
def test_no_place_of_a_page_lets_a_tag_through(blocks):
    read = Reader(render(Page(HOSTILE, HOSTILE, (Section(HOSTILE, blocks),))))
    assert not {"script", "img"} & {tag for tag, _ in read.tags}
    assert not [name for _, attributes in read.tags for name in attributes if name.startswith("on")]


def test_a_page_points_to_nothing_outside_and_forbids_it():
    html = page(Plots((bars("Labels", ["긍정"], {"rows": [1]}, axes=("label", "rows"), told="One."),)))
    assert not re.search(r"https?:|//|@import|\bsrc=|<script|<link|<iframe|url\((?!#)", html)
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'\"" in html


def test_a_long_text_is_cut_and_half_a_surrogate_pair_is_written_out():
    html = page(Table(("text",), ((RowText("가" * (MAX_SHOWN + 1234)),), (RowText("끝\ud800"),))))
    assert Reader(html).row_texts == ["가" * MAX_SHOWN + " … and 1,234 characters", "끝\\ud800"]
    html.encode("utf-8")


# --- a wrong call


def test_two_sections_cannot_have_one_anchor():
    with pytest.raises(ValueError, match=r"^two sections have the anchor 'rows'$"):
        render(Page("Report", "", (Section("Rows", ()), Section("rows!", ()))))


def test_a_row_of_a_table_is_as_long_as_its_head():
    with pytest.raises(ValueError, match=r"^a row of 1 cells stands in a table of 2 columns$"):
        page(Table(("label", "rows"), (("긍정", 1), ("부정",))))
