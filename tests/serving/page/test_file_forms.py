"""
The forms of files, one by one: however one is written, all but the new column stays as it was.

In: CSV, TSV and TXT in several encodings, sheets as several programs write them, arbitrary tables. Out: the bytes that
the page's own scripts, called in the browser, make of them with `<text>` for each text.
"""

import base64
import csv
import io

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Error, Page

from .workbooks import SHEET, archive, parts

BOM = b"\xef\xbb\xbf"
# Opens bytes as the page's worker does, and gives what `<text>` for each text makes of them.
MAKE = """async ([name, encoded, choice]) => {
    const source = await import(new URL('page/js/files/source.js', document.baseURI));
    const opened = source.openSource(name, Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0)));
    const told = source.describe(opened, choice?.header);
    const chosen = { column: told.column, header: told.header, ...choice };
    const plan = source.planTexts(opened, chosen, { texts: 1000, characters: 50, body_bytes: 100000 });
    const made = source.writeSource(opened, chosen, plan, plan.texts.map((text) => `<${text}>`));
    const binary = Array.from(made.bytes, (byte) => String.fromCharCode(byte)).join('');
    return { told, texts: plan.texts, tooLong: plan.tooLong, formulaLike: made.formulaLike, bytes: btoa(binary) };
}"""


def make(page: Page, name: str, content: bytes, **choice: int) -> tuple[bytes, dict]:
    """Put every text of a file in angle brackets, in the browser; give the new file, and what was said of it."""
    made = page.evaluate(MAKE, [name, base64.b64encode(content).decode(), choice or None])
    return base64.b64decode(made.pop("bytes")), made


@pytest.fixture(scope="module")
def bench(browser, served) -> Page:
    """A page whose scripts are called one by one."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(served.url)
    yield page
    context.close()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        # UTF-8 without a mark stays so, line ends and a missing last one too
        ("a.csv", "id,글\n1,밤\n2,낮".encode(), "id,글,restored\n1,밤,<밤>\n2,낮,<낮>".encode()),
        # with a mark it keeps the mark, and quotes that nobody needed stay
        ("a.csv", BOM + '"글","b"\r\n"밤",1\r\n'.encode(), BOM + '"글","b",restored\r\n"밤",1,<밤>\r\n'.encode()),
        # CP949 that EUC-KR has not: 뽱, 됬
        ("a.csv", "id,글\n1,뽱됬\n".encode("cp949"), BOM + "id,글,restored\n1,뽱됬,<뽱됬>\n".encode()),
        # UTF-16 with a mark, as Excel's "Unicode text" is, is told by tabs
        ("a.csv", "id\t글\r\n1\t밤\r\n".encode("utf-16"), "id\t글\trestored\r\n1\t밤\t<밤>\r\n".encode("utf-16")),
        # UTF-16 of either order without a mark
        ("a.csv", "id,글\r\n1,밤".encode("utf-16-be"), "id,글,restored\r\n1,밤,<밤>".encode("utf-16-be")),
        ("a.csv", "id,글\r\n1,밤".encode("utf-16-le"), "id,글,restored\r\n1,밤,<밤>".encode("utf-16-le")),
        # semicolons; the new text needs quotes where it holds one
        (
            "a.csv",
            'id;글\n1;"밤;낮"\n2;새벽\n'.encode(),
            'id;글;restored\n1;"밤;낮";"<밤;낮>"\n2;새벽;<새벽>\n'.encode(),
        ),
        # Excel is told the delimiter in a line of its own
        ("a.csv", "sep=|\r\nid|글\r\n1|밤,낮\r\n".encode(), "sep=|\r\nid|글|restored\r\n1|밤,낮|<밤,낮>\r\n".encode()),
        # a line break inside of quotes, old line ends
        ("a.csv", 'id,글\r1,"밤\r낮"\r'.encode(), 'id,글,restored\r1,"밤\r낮","<밤\r낮>"\r'.encode()),
        # rows that are too short or too long: the new column stays below its name
        ("a.csv", "id,글\n1\n2,밤,x\n".encode(), "id,글,,restored\n1,,,\n2,밤,x,<밤>\n".encode()),
        # a column that is called so already, and names that stand twice
        (
            "a.csv",
            "restored,글,글\n가나다,밤밤,밤\n".encode(),
            "restored,글,글,restored_2\n가나다,밤밤,밤,<가나다>\n".encode(),
        ),
        # no names: the first row is a row
        ("a.csv", "1,밤이 깊어요\n2,낮\n".encode(), "1,밤이 깊어요,<밤이 깊어요>\n2,낮,<낮>\n".encode()),
        # a single column without and with a name
        (
            "a.csv",
            "밤이 깊어요\n낮이 밝아요\n".encode(),
            "밤이 깊어요,<밤이 깊어요>\n낮이 밝아요,<낮이 밝아요>\n".encode(),
        ),
        ("a.csv", "후기\n밤이 깊어요\n".encode(), "후기,restored\n밤이 깊어요,<밤이 깊어요>\n".encode()),
        # tabs, and quotes that are letters
        (
            "a.tsv",
            'id\t글\n1\t"밤" 낮\n2\t"밤\n'.encode(),
            'id\t글\trestored\n1\t"밤" 낮\t<"밤" 낮>\n2\t"밤\t<"밤>\n'.encode(),
        ),
        # tabs, and quotes that are quotes
        ("a.tsv", 'id\t글\n1\t"밤\t낮"\n'.encode(), 'id\t글\trestored\n1\t"밤\t낮"\t"<밤\t낮>"\n'.encode()),
        # a table with tabs that Excel calls text
        ("a.txt", "글\t이름\r\n밤밤\t낮\r\n".encode(), "글\t이름\trestored\r\n밤밤\t낮\t<밤밤>\r\n".encode()),
        # lines with tabs that are no table
        ("a.txt", "밤\t낮\n밤\n".encode(), "<밤\t낮>\n<밤>\n".encode()),
        # lines: mixed ends, blank ones, without Hangul, white space round it
        ("a.txt", "밤\r\n\r\nok\n  낮 \r새벽".encode(), "<밤>\r\n\r\nok\n<  낮 >\r<새벽>".encode()),
        ("a.txt", BOM + "밤".encode(), BOM + "<밤>".encode()),
        ("a.txt", "밤\n".encode("cp949"), BOM + "<밤>\n".encode()),
        # what is longer than the service takes is left as it is
        ("a.txt", ("밤" * 51 + "\n낮\n").encode(), ("밤" * 51 + "\n<낮>\n").encode()),
        (
            "a.csv",
            ("id,글\n1,낮\n2," + "밤" * 51).encode(),
            ("id,글,restored\n1,낮,<낮>\n2," + "밤" * 51 + ",").encode(),
        ),
        # emoji are characters of their own
        ("a.txt", "밤😀\n".encode(), "<밤😀>\n".encode()),
    ],
)
def test_whatever_a_text_file_is_written_like_it_stays(bench, name, content, expected):
    made, _ = make(bench, name, content)
    assert made == expected


cells = st.text(st.sampled_from('가나 ,;"\n\tab=😀'), max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=5),
    delimiter=st.sampled_from(",;|\t"),
    line_end=st.sampled_from(("\r\n", "\n")),
    quoting=st.sampled_from((csv.QUOTE_ALL, csv.QUOTE_MINIMAL)),
)
def test_any_table_that_python_writes_is_read_back_with_one_more_column(bench, rows, delimiter, line_end, quoting):
    rows = [["이름", "글"], ["하나", "밤"], *rows, ["둘", "낮"]]
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, lineterminator=line_end, quoting=quoting).writerows(rows)
    made, told = make(
        bench, f"a.{'tsv' if delimiter == chr(9) else 'csv'}", written.getvalue().encode(), column=1, header=0
    )
    read = list(csv.reader(io.StringIO(made.decode(), newline=""), delimiter=delimiter))
    assert [row[:2] for row in read] == rows
    assert {len(row) for row in read} == {3}
    has_hangul = [any("가" <= letter <= "힣" for letter in row[1]) for row in rows[1:]]
    assert [row[2] for row in read[1:]] == [
        f"<{row[1]}>" if hangul else row[1] for row, hangul in zip(rows[1:], has_hangul, strict=True)
    ]
    assert told["texts"] == list(
        dict.fromkeys(row[1] for row, hangul in zip(rows[1:], has_hangul, strict=True) if hangul)
    )


def test_uneven_rows_long_texts_and_formulas_are_told_with_their_lines(bench):
    text = 'id,글\n1,=밤\n2\n3,"낮\n낮",x\n4,' + "밤" * 51 + "\n"
    _, told = make(bench, "a.csv", text.encode())
    assert told["told"]["uneven"] == {"count": 2, "lines": [3, 4]}
    assert told["tooLong"] == {"count": 1, "lines": [6]}
    _, told = make(bench, "a.csv", "글\n=1+밤\n-낮\n새벽\n@밤\n".encode(), header=0)
    assert told["formulaLike"] == 0  # each begins with the bracket here
    plain = bench.evaluate(
        MAKE.replace("`<${text}>`", "text"),
        ["a.csv", base64.b64encode("글\n=1+밤\n-낮\n새벽\n".encode()).decode(), None],
    )
    assert plain["formulaLike"] == 2


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.sampled_from("가나다 <>&\"'\n\t_x😀=é"), min_size=1, max_size=9), min_size=1, max_size=6))
def test_any_texts_of_a_workbook_are_read_and_written_as_they_are(bench, texts):
    book, written = openpyxl.Workbook(), io.BytesIO()
    before = [*(f"'{text}" for text in texts), "가"]  # what begins with = would be a formula
    for text in before:
        book.active.append([text, 1])
    book.save(written)
    made, told = make(bench, "a.xlsx", written.getvalue(), header=-1, column=0)
    read = [cell.value for cell in openpyxl.load_workbook(io.BytesIO(made)).active["C"]]
    has_hangul = {text for text in before if any("가" <= letter <= "힣" for letter in text)}
    assert read == [f"<{text}>" if text in has_hangul else text for text in before]
    assert told["texts"] == [text for text in dict.fromkeys(before) if text in has_hangul]


@pytest.mark.parametrize(
    ("data", "strings", "expected"),
    [
        # neither rows nor cells say where they stand; a comment in between is no cell
        (
            "<x:row><x:c t='str'><x:v>밤</x:v></x:c><!-- <x:c/> --><x:c><x:v>1</x:v></x:c></x:row>",
            "",
            "<x:row><x:c t='str'><x:v>밤</x:v></x:c><!-- <x:c/> --><x:c><x:v>1</x:v></x:c>"
            '<x:c r="C1" t="inlineStr"><x:is><x:t xml:space="preserve">&lt;밤&gt;</x:t></x:is></x:c></x:row>',
        ),
        # shared text with its reading beside it, CDATA, character references, Excel's own escapes
        (
            '<x:row r="2"><x:c r="A2" t="s"><x:v>1</x:v></x:c></x:row>',
            "<si><t>x</t></si><si><r><t>밤&#xB0AE;</t></r><r><t><![CDATA[<]]>_x000D_</t></r><rPh><t>밤</t></rPh></si>",
            '<x:row r="2"><x:c r="A2" t="s"><x:v>1</x:v></x:c>'
            '<x:c r="B2" t="inlineStr"><x:is><x:t xml:space="preserve">&lt;밤낮&lt;_x000D_&gt;</x:t></x:is></x:c>'
            "</x:row>",
        ),
        # cells that are only styled make way, those behind them stay behind
        (
            '<x:row r="1" spans="1:2"><x:c r="A1" s="4" t="inlineStr"><x:is><x:t>밤</x:t></x:is></x:c>'
            '<x:c r="B1" s="5"/><x:c r="C1" s="6"/></x:row>',
            "",
            '<x:row r="1" spans="1:2"><x:c r="A1" s="4" t="inlineStr"><x:is><x:t>밤</x:t></x:is></x:c>'
            '<x:c r="B1" s="4" t="inlineStr"><x:is><x:t xml:space="preserve">&lt;밤&gt;</x:t></x:is></x:c>'
            '<x:c r="C1" s="6"/></x:row>',
        ),
        # what is no text, a date maybe, is copied with its type and its look
        (
            '<x:row r="1"><x:c r="A1" t="str"><x:v>밤</x:v></x:c></x:row>'
            '<x:row r="2"><x:c r="A2" s="3"><x:v>45000</x:v></x:c></x:row>',
            "",
            '<x:row r="1"><x:c r="A1" t="str"><x:v>밤</x:v></x:c>'
            '<x:c r="B1" t="inlineStr"><x:is><x:t xml:space="preserve">&lt;밤&gt;</x:t></x:is></x:c></x:row>'
            '<x:row r="2"><x:c r="A2" s="3"><x:v>45000</x:v></x:c>'
            '<x:c r="B2" s="3" t="n"><x:v>45000</x:v></x:c></x:row>',
        ),
        # empty rows, and a row's hint between which columns its cells stand
        (
            '<x:row r="1"/><x:row r="3" spans="1:1"><x:c r="A3" t="str"><x:f>A1</x:f><x:v>밤_x</x:v></x:c></x:row>',
            "",
            '<x:row r="1"/><x:row r="3" spans="1:2"><x:c r="A3" t="str"><x:f>A1</x:f><x:v>밤_x</x:v></x:c>'
            '<x:c r="B3" t="inlineStr"><x:is><x:t xml:space="preserve">&lt;밤_x&gt;</x:t></x:is></x:c></x:row>',
        ),
    ],
)
def test_sheets_of_other_programs_change_by_the_new_cells_alone(bench, data, strings, expected):
    before = SHEET.format(f"<x:sheetData>{data}</x:sheetData>")
    made, told = make(bench, "a.xlsx", archive(before, strings), header=-1, column=0)
    assert told["told"]["sheets"] == ["가&나"]
    assert parts(made)["book/sheets/one.xml"].decode() == SHEET.format(f"<x:sheetData>{expected}</x:sheetData>")


def test_the_sheets_size_and_the_new_columns_width_are_written_too(bench):
    before = (
        '<x:dimension ref="A1:B2"/>'
        '<x:cols><x:col min="1" max="1" width="30"/><x:col min="4" max="9" width="5"/></x:cols>'
        '<x:sheetData><x:row r="1"><x:c r="A1" t="str"><x:v>밤</x:v></x:c><x:c r="B1"><x:v>1</x:v></x:c></x:row>'
        "</x:sheetData>"
    )
    made, _ = make(bench, "a.xlsx", archive(SHEET.format(before)), header=-1)
    sheet = parts(made)["book/sheets/one.xml"].decode()
    wide, _ = make(bench, "a.xlsx", archive(SHEET.format(before).encode("utf-16")), header=-1)
    assert parts(wide)["book/sheets/one.xml"].decode("utf-16") == sheet  # encoded as it was
    assert '<x:dimension ref="A1:C2"/>' in sheet
    assert '<x:col min="3" max="3" width="30" customWidth="1"/><x:col min="4"' in sheet


def test_a_sheet_without_room_for_a_column_is_refused_before_anything_is_restored(bench):
    full = '<x:sheetData><x:row><x:c t="str"><x:v>밤</x:v></x:c><x:c r="XFD1"><x:v>1</x:v></x:c></x:row></x:sheetData>'
    content = base64.b64encode(archive(SHEET.format(full))).decode()
    plan_alone = MAKE.replace("const made =", "return; const made =")
    with pytest.raises(Error, match="fault_wide"):
        bench.evaluate(plan_alone, ["a.xlsx", content, {"header": -1}])
