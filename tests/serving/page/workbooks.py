"""
Workbooks for tests of files: one by openpyxl, with most of what can stand in one, and others by hand.

In: a path, or the XML of a sheet. Out: the bytes of an XLSX file, and its parts: {"xl/worksheets/sheet1.xml": b"…", …}.
"""

import io
import zipfile
from pathlib import Path

import openpyxl
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.styles import Alignment, Font, PatternFill

NOISY, CLEAN = "확잠실읾 념뭄 잙앙욤", "화장실이 너무 작아요"
SHEET = '<?xml version="1.0"?>\n<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{}</x:worksheet>'
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def workbook(path: Path) -> Path:
    """Write a workbook with most of what can stand in one."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "후기 <1>"
    sheet.merge_cells("A1:C1")
    sheet["A1"] = "2026년 후기 모음"
    rows = (
        ["번호", "후기", "날짜"],
        [1, NOISY, None],
        [2, f"{NOISY} & <b>", None],
        [3, None, None],
        [4, "=B3&B4", None],
    )
    for row in rows:
        sheet.append(row)
    sheet["C3"] = "=DATE(2026,11,22)"
    rich = CellRichText(NOISY[:5], TextBlock(InlineFont(b=True), NOISY[5:]))
    sheet.append([5, rich, 1.5])
    sheet["B3"].font, sheet["B3"].alignment = Font(bold=True, color="00FF0000"), Alignment(wrap_text=True)
    for place in ("D3", "F4"):  # styled, but empty
        sheet[place].fill = PatternFill("solid", fgColor="00FFFF00")
    sheet.column_dimensions["B"].width = 44
    sheet.freeze_panes = "A3"
    sheet.auto_filter.ref = "A2:C7"
    other = book.create_sheet("합계")
    other["A1"], other["A2"], other["A3"] = "리뷰", NOISY, "='후기 <1>'!A3*2"
    book.save(path)
    return path


def archive(sheet: str | bytes, strings: str = "", **more: str) -> bytes:
    """Write a workbook by hand, as other programs do: with prefixes, absolute paths and names of their own."""
    relation = '<Relationship Id="{}" Type="' + RELATIONS + '/{}" Target="{}"/>'
    found = {
        "_rels/.rels": f"<Relationships>{relation.format('a', 'officeDocument', '/book/my.xml')}</Relationships>",
        "book/my.xml": f'<x:workbook xmlns:x="m" xmlns:r="{RELATIONS}"><x:sheets>'
        '<x:sheet name="가&amp;나" sheetId="7" r:id="s"/></x:sheets></x:workbook>',
        "book/_rels/my.xml.rels": "<Relationships>"
        + relation.format("s", "worksheet", "sheets/one.xml")
        + relation.format("t", "sharedStrings", "../texts.xml")
        + "</Relationships>",
        "book/sheets/one.xml": sheet,
        "texts.xml": f"<sst>{strings}</sst>",
    } | more
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in found.items():
            made.writestr(name, content)
    return written.getvalue()


def bomb() -> bytes:
    return archive(SHEET.format(""), more="0" * 5_000_000)


def parts(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}
