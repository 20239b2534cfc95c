"""
Sections to one self-contained HTML page: style and plots inside, no script, no address of anything outside.

In:  a Page of sections, each made of blocks.   Out: its HTML, the same bytes for the same page:

    Section("Labels", (Table(("label", "rows"), ((RowText("긍정 <3"), 1200),)),))
    ─►  <h2 id="labels"> … <td><bdi lang="ko">긍정 &lt;3</bdi></td><td class="figure">1,200</td>

Every text is escaped by the template, and the page forbids scripts and requests besides (Content-Security-Policy), so
that a row of somebody's data cannot do anything. This is the one module that calls jinja2, and inside a function only.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from hanpuri.pages.plots import Plot

TEMPLATE = "page.html.j2"
MAX_SHOWN = 300  # characters of a row


@dataclass(frozen=True)
class RowText:
    """A text that comes from the data: Korean as a rule, set apart from what the page itself says."""

    text: str


@dataclass(frozen=True)
class Share:
    """A share from 0 to 1, shown in percent."""

    value: float


Mark = Literal["", "wrong", "extra", "missing"]


@dataclass(frozen=True)
class Piece:
    """
    A stretch of a marked text: as it should be, wrong, too much, or missing.

    A short `note` is written above it; `told` says the same in words, for who points at it or has the page read out.
    """

    text: str
    mark: Mark = ""
    note: str = ""
    told: str = ""


@dataclass(frozen=True)
class Marked:
    """A text that comes from the data, in which it is marked what is wrong."""

    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Score:
    """A figure as it is written, with what belongs to it below, such as its interval; the best one stands out."""

    text: str
    note: str = ""
    best: bool = False


@dataclass(frozen=True)
class Noted:
    """A text with a smaller one below it that explains it."""

    text: str
    note: str


Cell = str | int | float | RowText | tuple[RowText, ...] | Share | Score | Noted | None


@dataclass(frozen=True)
class Paragraph:
    """A few plain sentences."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Numbers:
    """The few numbers that a reader looks for first, each with its name."""

    kind: ClassVar[str] = "numbers"
    items: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells; a column of figures stands on the right. Without a row, `empty` is said in its place."""

    kind: ClassVar[str] = "table"
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    empty: str = "none"

    def is_figures(self, column: int) -> bool:
        """
        Say whether a column holds figures alone.

        >>> [Table(("label", "rows"), (("긍정", 3), ("부정", None))).is_figures(column) for column in (0, 1)]
        [False, True]
        """
        return bool(self.rows) and all(not isinstance(row[column], str | RowText | tuple | Noted) for row in self.rows)


@dataclass(frozen=True)
class Plots:
    """Plots: side by side, or beside a table, where there is room."""

    kind: ClassVar[str] = "plots"
    plots: tuple[Plot, ...]


@dataclass(frozen=True)
class Notices:
    """What the reader has to know, each with what to do about it; `calm` is said where there is none."""

    kind: ClassVar[str] = "notices"
    items: tuple[tuple[str, str], ...]
    calm: str


@dataclass(frozen=True)
class Specimen:
    """A row of the data under a heading, as several texts, each with what it is."""

    heading: str
    lines: tuple[tuple[str, RowText | Marked], ...]


@dataclass(frozen=True)
class Specimens:
    """Rows of the data to be read one by one; folded away under their caption, if there are many."""

    kind: ClassVar[str] = "specimens"
    caption: str
    items: tuple[Specimen, ...]
    folded: bool = False


Block = Paragraph | Numbers | Table | Plots | Notices | Specimens


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: tuple[Block, ...]

    @property
    def anchor(self) -> str:
        """
        The heading as it stands in a link.

            >>> Section("Rows through the steps", ()).anchor
            'rows-through-the-steps'
        """
        return re.sub(r"[^\w]+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True)
class Page:
    """A page: its title, a sentence about it, its sections."""

    title: str
    lead: str
    sections: tuple[Section, ...]


def render(page: Page) -> str:
    """
    Write a page as HTML.

        >>> html = render(Page("Report", "On 2 rows.", (Section("Rows", (Paragraph("1 < 2"),)),)))
        >>> '<h2 id="rows">' in html, "<p>1 &lt; 2</p>" in html
        (True, True)

    Raises:
        ValueError: if two sections have the same anchor, or a table's row is not as long as its head.
    """
    _check(page.sections)
    html: str = _template().render(page=page, figure=figure, row_texts=row_texts, breakable=breakable)
    return html.encode("utf-8", "backslashreplace").decode("utf-8")  # a lone surrogate can stand in no file


@cache
def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(TEMPLATE)


def figure(cell: Any) -> str:
    """
    Write a figure for people: thousands apart, a share in percent, no more digits than say something.

        >>> [figure(cell) for cell in (1234567, 0.81251, 123.456, 0.0, Share(0.0312), Share(0.00001), Share(0), None)]
        ['1,234,567', '0.813', '123', '0', '3.1 %', '< 0.1 %', '0 %', '–']
    """
    if cell is None:
        return "–"
    if isinstance(cell, Share):
        return _percent(cell.value)
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return (
            f"{cell:,.{0 if not cell or abs(cell) >= 100 else 1 if abs(cell) >= 10 else 2 if abs(cell) >= 1 else 3}f}"
        )
    return str(cell)


def row_texts(cell: Any) -> list[str]:
    """
    Give the texts of the data in a cell, none if it holds something else; a long one is cut.

        >>> row_texts((RowText("가"), RowText("나"))), row_texts("label"), row_texts(RowText("가" * 1200))[0][-24:]
        (['가', '나'], [], '가가가 … and 900 characters')
    """
    texts = [cell.text] if isinstance(cell, RowText) else [one.text for one in cell] if isinstance(cell, tuple) else []
    return [
        text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]} … and {len(text) - MAX_SHOWN:,} characters"
        for text in texts
    ]


def breakable(name: str) -> list[str]:
    """
    Split the name of a column where a line may end: an address has no spaces.

        >>> breakable("openai:http://127.0.0.1:8000/v1#qwen3")
        ['openai:', 'http:', '/', '/', '127.0.0.1:', '8000/', 'v1#', 'qwen3']
    """
    return re.split(r"(?<=[/:,#])", name)


def _percent(share: float) -> str:
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %" if 0 < share < 1 else f"{100 * share:.0f} %"


def _check(sections: Sequence[Section]) -> None:
    anchors = [section.anchor for section in sections]
    if twice := next((anchor for anchor in anchors if anchors.count(anchor) > 1), None):
        raise ValueError(f"two sections have the anchor {twice!r}")
    for section in sections:
        for table in (block for block in section.blocks if isinstance(block, Table)):
            if wrong := next((row for row in table.rows if len(row) != len(table.head)), None):
                raise ValueError(f"a row of {len(wrong)} cells stands in a table of {len(table.head)} columns")
