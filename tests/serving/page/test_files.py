"""
Files on the page: what was in them comes back unchanged, with one more column.

In: files that these tests make, given, dropped, stopped, refused. Out: what the browser downloads, compared byte by
byte or cell by cell, and what it says of files that it cannot open.
"""

import csv
import hashlib
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from playwright.sync_api import Page, expect

from hanpuri.serving import comparison

from .conftest import Visit
from .workbooks import CLEAN, NOISY, SHEET, archive, bomb, parts, workbook

# Whether somebody who leaves the page is asked first.
LEAVE = "!window.dispatchEvent(new Event('beforeunload', { cancelable: true }))"
VENDOR = Path(comparison.__file__).parent / "page" / "vendor"


@pytest.fixture
def visited(shared_page: Visit) -> Iterator[Visit]:
    """The page that these tests share, with no file in it."""
    yield shared_page
    shared_page.page.unroute_all()
    for step in ("choice", "work", "done"):
        if shared_page.page.locator(f"#files-close-{step}").is_visible():
            shared_page.page.locator(f"#files-close-{step}").click()


def give(page: Page, name: str, content: bytes) -> None:
    page.locator("#files-input").set_input_files({"name": name, "mimeType": "", "buffer": content})


def open_file(page: Page, name: str, content: bytes) -> None:
    give(page, name, content)
    expect(page.locator("#files-choice")).to_be_visible()


def download(page: Page) -> tuple[str, bytes]:
    expect(page.locator("#files-done")).to_be_visible()
    with page.expect_download() as started:
        page.locator("#files-download").click()
    return started.value.suggested_filename, Path(started.value.path()).read_bytes()


def test_the_library_that_is_shipped_is_the_one_that_is_written_down_with_its_licence():
    table = (VENDOR / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256((VENDOR / "fflate" / "fflate.js").read_bytes()).hexdigest() in table
    assert "MIT License" in (VENDOR / "fflate" / "LICENSE").read_text(encoding="utf-8")


def test_a_csv_comes_back_as_it_was_with_one_more_column(visited):
    text = f'id,후기,점수\r\n1,"{NOISY}, 그리고 ""밤""",3\r\n\r\n2,,4\r\n3,ok,5'
    page = visited.page
    open_file(page, "후기.csv", text.encode("cp949"))
    expect(page.locator("#files-name")).to_have_text("후기.csv")
    expect(page.locator("#files-facts")).to_have_text("3줄 · CP949 (EUC-KR)")
    expect(page.locator("#files-preview .chosen").first).to_have_text("2. 후기")
    assert page.locator("#files-sheets").is_hidden()
    visited.screenshot("files-choice")
    asked = []
    page.on("request", lambda request: asked.append(request))
    page.locator("#files-start").click()
    name, content = download(page)
    assert name == "후기_restored.csv"
    # Nothing but the texts of the column has left the browser, and each once.
    sent = [json.loads(request.post_data) for request in asked if request.method == "POST"]
    assert sent == [{"texts": [f'{NOISY}, 그리고 "밤"'], "model": "base"}]
    expected = (
        f'id,후기,점수,restored\r\n1,"{NOISY}, 그리고 ""밤""",3,"{CLEAN}, 그리고 ""밤"""\r\n\r\n2,,4,\r\n3,ok,5,ok'
    )
    assert content.decode("utf-8") == "\ufeff" + expected
    expect(page.locator("#files-summary")).to_have_text("서로 다른 글 1개를 읽었고, 그중 1개가 바뀌었어요.")
    expect(page.locator("#files-remarks li")).to_have_text(
        "원래 파일은 CP949(EUC-KR)였고, 새 파일은 엑셀에서도 바로 열리는 UTF-8(BOM)이에요."
    )
    assert page.evaluate("document.activeElement.id") == "files-download"
    visited.screenshot("files-done")
    assert visited.violations() == []


def test_a_workbook_keeps_everything_and_gets_a_column_beside(visit, tmp_path):
    content = workbook(tmp_path / "후기.xlsx").read_bytes()
    visited = visit(width=390, scheme="dark", language="en")
    page = visited.page
    open_file(page, "후기.xlsx", content)
    assert page.locator("#files-sheet option").all_inner_texts() == ["후기 <1>", "합계"]
    expect(page.locator("#files-header option:checked")).to_have_text("row 2: 번호 · 후기 · 날짜")
    expect(page.locator("#files-column option:checked")).to_have_text("2. 후기")
    visited.screenshot("files-workbook-phone-dark")
    assert visited.violations() == []
    page.locator("#files-start").click()
    name, made = download(page)
    assert name == "후기_restored.xlsx"
    before, after = parts(content), parts(made)
    assert list(after) == list(before)
    assert [part for part in before if before[part] != after[part]] == ["xl/worksheets/sheet1.xml"]
    old, new = (openpyxl.load_workbook(io.BytesIO(one))["후기 <1>"] for one in (content, made))
    for row in old.iter_rows():
        for cell in row:
            if cell.column != 4:
                other = new.cell(cell.row, cell.column)
                assert (other.value, other.style_id, other.data_type) == (cell.value, cell.style_id, cell.data_type)
    column = [new.cell(row, 4).value for row in range(1, new.max_row + 1)]
    assert column == [None, "restored", CLEAN, f"{CLEAN} & <b>", None, None, CLEAN]
    expect(page.locator("#files-remarks li")).to_have_text(word(page, "files.remark_formulas", {"count": 1}))
    assert new["D3"].font.bold
    assert new["D3"].alignment.wrap_text
    assert new.column_dimensions["D"].width == 44
    assert new.merged_cells.ranges == old.merged_cells.ranges
    assert (new.freeze_panes, new.auto_filter.ref) == ("A3", "A2:C7")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_what_cannot_be_opened_is_said_in_a_line_and_the_next_file_can_be_given(visited):
    old_office = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600)
    good_sheet = SHEET.format('<x:sheetData><x:row><x:c t="str"><x:v>밤</x:v></x:c></x:row></x:sheetData>')
    checksum = zlib.crc32(good_sheet.encode()).to_bytes(4, "little")
    files = [
        ("a.csv", b"", "files.fault_empty", {}),
        ("a.csv", b"\r\n\r\n", "files.fault_empty", {}),
        ("a.csv", 'id,글\n1,"밤\n2,낮\n'.encode(), "files.fault_quote", {"line": 2}),
        ("a.csv", "글\n밤\n".encode() + b"\xff\xfe\xfa\n", "files.fault_encoding", {"line": 3}),
        ("a.csv", "글\n밤\n".encode() + "낮\n".encode("cp949"), "files.fault_mixed", {}),
        ("a.txt", bytes(range(256)), "files.fault_binary", {}),
        ("a.pdf", b"%PDF-1.7\n%%EOF\n", "files.fault_binary", {}),
        # a stray NUL is no sign of UTF-16, in which the whole would be other letters
        ("a.txt", "밤이 깊어요\n낮\0\n".encode(), "files.fault_nul", {"line": 2}),
        ("a.csv", "글,n\n밤이 깊어요,1\0\n낮,2\n".encode("cp949"), "files.fault_nul", {"line": 2}),
        ("a.xlsx", b"not a workbook", "files.fault_no_workbook", {}),
        ("a.xls", old_office, "files.fault_xls", {}),
        ("a.hwp", old_office + "HwpSummaryInformation".encode("utf-16-le"), "files.fault_no_workbook", {}),
        ("a.xlsx", old_office + "EncryptedPackage".encode("utf-16-le"), "files.fault_password", {}),
        ("a.xlsx", archive(good_sheet)[:-30], "files.fault_damaged", {}),
        ("a.xlsx", archive(good_sheet).replace(checksum, bytes(4)), "files.fault_damaged", {}),
        ("a.xlsx", archive(good_sheet.replace("</x:v>", "</x:v")), "files.fault_damaged", {}),
        ("a.xlsx", archive("<!DOCTYPE a [<!ENTITY b 'c'>]>" + good_sheet), "files.fault_damaged", {}),
        ("a.docx", archive(good_sheet, **{"_rels/.rels": "<Relationships/>"}), "files.fault_no_workbook", {}),
        ("a.xlsx", bomb(), "files.fault_bomb", {}),
    ]
    page = visited.page
    for name, content, key, values in files:
        give(page, name, content)
        expect(page.locator("#files-fault")).to_have_text(word(page, key, values))
        assert page.locator("#files-opening").is_visible()
    open_file(page, "a.csv", "글,n\n".encode())
    expect(page.locator("#files-fault")).to_have_text(word(page, "files.fault_no_rows", {}))
    page.locator("#files-header").select_option("-1")
    expect(page.locator("#files-fault")).to_be_hidden()
    expect(page.locator("#files-start")).to_be_enabled()
    page.locator("#files-close-choice").click()
    visited.expected.append("net::ERR_FAILED")
    page.route("**/files/worker.js", lambda route: route.abort())
    give(page, "a.txt", b"x")
    expect(page.locator("#files-fault")).to_have_text(word(page, "files.fault_not_loaded", {}))


def word(page: Page, key: str, values: dict[str, object]) -> str:
    script = (
        "async ([key, values]) => (await import(new URL('page/js/language.js', document.baseURI))).word(key, values)"
    )
    return page.evaluate(script, [key, values])


def test_a_column_without_hangul_is_refused_and_another_can_be_picked(visit):
    page = visit(language="en").page
    open_file(page, "a.csv", f"id,text,who\n1,{NOISY},me\n".encode())
    page.locator("#files-column").select_option("0")
    expect(page.locator("#files-preview th.chosen")).to_have_text("1. id")
    page.locator("#files-start").click()
    expect(page.locator("#files-fault")).to_have_text("The column holds no Korean text. Please pick another one.")
    page.locator("#files-column").select_option("1")
    page.locator("#language").click()
    expect(page.locator("#files-start")).to_have_text("되살리기 시작")
    expect(page.locator("#files-column option").first).to_have_text("1. id")
    page.locator("#files-start").click()
    assert download(page)[1].decode() == f"id,text,who,restored\n1,{NOISY},me,{CLEAN}\n"


def test_another_sheet_and_another_row_of_names_can_be_chosen(visited, tmp_path):
    page = visited.page
    open_file(page, "a.csv", workbook(tmp_path / "a.xlsx").read_bytes())
    page.locator("#files-sheet").select_option("1")
    expect(page.locator("#files-header option:checked")).to_have_text("1번째 줄: 리뷰")
    assert page.locator("#files-columns").is_hidden()
    expect(page.locator("#files-preview tbody tr")).to_have_count(1)
    page.locator("#files-header").select_option("-1")
    expect(page.locator("#files-preview tbody tr")).to_have_count(2)
    page.locator("#files-start").click()
    name, made = download(page)
    assert name == "a_restored.xlsx"  # it was called otherwise, which Excel would not open
    sheet = openpyxl.load_workbook(io.BytesIO(made))["합계"]
    values = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert values == [["리뷰", "리뷰"], [NOISY, CLEAN], ["='후기 <1>'!A3*2", None]]


def test_it_can_be_stopped_and_gone_on_with(visited):
    page = visited.page
    held = []
    page.route("**/v1/restore", lambda route: held.append(route))
    open_file(page, "a.txt", "".join(f"밤 {number}\n" for number in range(450)).encode())
    page.locator("#files-start").click()
    expect(page.locator("#files-stop")).to_be_focused()
    page.wait_for_function("document.querySelector('#files-counts').textContent.includes('450')")
    assert page.locator("#files-bar").get_attribute("aria-valuetext") == "글 450개 가운데 0개를 되살렸어요."
    assert visited.violations() == []
    for _ in range(50):
        if len(held) == 2:
            break
        page.wait_for_timeout(20)
    assert len(held) == 2  # no more than two on their way
    assert page.evaluate(LEAVE) is True
    give(page, "b.txt", NOISY.encode())  # another file does not take the place of what is not downloaded
    expect(page.locator("#files-fault")).to_have_text(word(page, "files.fault_not_done", {}))
    held[0].continue_()
    expect(page.locator("#files-counts")).to_have_text("글 450개 가운데 20개를 되살렸어요.")
    visited.screenshot("files-work")
    page.keyboard.press("Enter")
    expect(page.locator("#files-said")).to_have_text("멈췄어요. 되살린 글은 그대로 두었으니 이어서 할 수 있어요.")
    expect(page.locator("#files-resume")).to_be_focused()
    expect(page.locator("#files-bar-label")).to_have_text("멈춰 있어요")
    page.unroute("**/v1/restore")
    page.keyboard.press("Enter")
    expect(page.locator("#files-done")).to_be_visible()
    assert page.evaluate(LEAVE) is True
    expect(page.locator("#files-fault")).to_be_empty()
    lines = download(page)[1].decode().splitlines()
    assert page.evaluate(LEAVE) is False
    assert [line.split()[1] for line in lines] == [str(number) for number in range(450)]


def test_a_fault_in_the_middle_loses_nothing(visited):
    visited.expected += ["status of 429", "status of 500"]
    page = visited.page
    asked = []

    def answer(route):
        asked.append(len(json.loads(route.request.post_data)["texts"]))
        statuses = {1: 429, 2: 500}  # the first one waits for its turn, the second one stops the work
        if status := statuses.get(len(asked)):
            route.fulfill(status=status, json={"error": "x", "mend": "y"}, headers={"Retry-After": "1"})
        else:
            route.continue_()

    page.route("**/v1/restore", answer)
    open_file(page, "a.txt", "".join(f"{NOISY} {number}\n" for number in range(450)).encode())
    page.locator("#files-start").click()
    expect(page.locator("#files-fault")).to_have_text("서비스에 문제가 생겼어요. 잠시 뒤에 다시 해 주세요.")
    page.locator("#files-resume").click()
    assert download(page)[1].decode() == "".join(f"{CLEAN} {number}\n" for number in range(450))
    assert max(asked) <= 200  # how many it is, goes by the machine's speed: see the next test


def test_a_slow_model_gets_as_many_texts_as_it_restores_in_time(visited):
    script = """async () => {
        const { Restoring } = await import(new URL('page/js/files/restoring.js', document.baseURI));
        const batches = [Array.from({ length: 200 }, (_, number) => number), [200, 201]];
        const one = new Restoring(new Array(202).fill('0123456789'), { batches, model: '' });
        return [null, 50, 0.1, 1e6, 1e6].map((speed) => { one.speed = speed; return one.take(); });
    }"""
    taken = visited.page.evaluate(script)
    assert [len(numbers) for numbers in taken] == [20, 40, 1, 139, 2]
    assert [number for numbers in taken for number in numbers] == list(range(202))


def test_a_text_that_the_service_refuses_is_left_and_the_others_are_not(visited):
    visited.expected.append("status of 422")
    page = visited.page

    def answer(route):
        texts = json.loads(route.request.post_data)["texts"]
        refused = any("거절" in text for text in texts)
        route.fulfill(status=422, json={"error": "x", "mend": "y"}) if refused else route.continue_()

    page.route("**/v1/restore", answer)
    open_file(page, "a.csv", f"글,n\n{NOISY},1\n거절,2\n{NOISY}!,3\n".encode())
    page.locator("#files-start").click()
    assert download(page)[1].decode() == f"글,n,restored\n{NOISY},1,{CLEAN}\n거절,2,\n{NOISY}!,3,{CLEAN}!\n"
    refused = "서비스가 처리하지 못한 글이 1개 있어요. 표라면 새 칸이 비어 있어요."
    expect(page.locator("#files-remarks li").nth(1)).to_have_text(refused)


def test_five_thousand_rows_do_not_make_the_page_stand_still(visited):
    page = visited.page
    rows = [f'{number},"밤이 깁꼬, {number % 700}",{number}' for number in range(5_000)]
    open_file(page, "a.csv", ("id,글,n\r\n" + "\r\n".join(rows)).encode())
    # The longest time between two turns of the page's own clock, while it restores.
    page.evaluate(
        """() => {
            let last = performance.now();
            window.longest = 0;
            setInterval(() => {
                longest = Math.max(longest, performance.now() - last);
                last = performance.now();
            }, 10);
        }"""
    )
    page.locator("#files-start").click()
    read = list(csv.reader(io.StringIO(download(page)[1].decode(), newline="")))
    assert len(read) == 5_001
    assert all(row[3].endswith(f", {number % 700}") for number, row in enumerate(read[1:]))
    assert page.evaluate("longest") < 2_000


def test_files_are_dropped_on_the_card_one_at_a_time(visited):
    page = visited.page
    drop = """([where, files]) => {
        const transfer = new DataTransfer();
        for (const [name, text] of files) transfer.items.add(new File([text], name));
        const told = { dataTransfer: transfer, bubbles: true, cancelable: true };
        const place = document.querySelector(where);
        place.dispatchEvent(new DragEvent('dragover', told));
        const isOver = document.querySelector('#files').classList.contains('over');
        return [isOver, place.dispatchEvent(new DragEvent('drop', told))];
    }"""
    # Beside the card nothing happens, and the browser does not leave the page for the file.
    assert page.evaluate(drop, ["#noisy", [["a.txt", "밤"]]]) == [False, False]
    assert page.locator("#files-choice").is_hidden()
    assert page.evaluate(drop, ["#files h2", [["a.txt", "밤"], ["b.txt", "낮"]]]) == [True, False]
    expect(page.locator("#files-fault")).to_have_text("파일 2개가 들어왔어요. 한 번에 하나씩 넣어 주세요.")
    page.evaluate(drop, ["#files h2", [["a.txt", NOISY]]])
    page.evaluate(
        drop, ["#files h2", [["b.txt", NOISY]]]
    )  # the later one counts, even if the first is still being read
    expect(page.locator("#files-name")).to_have_text("b.txt")
    expect(page.locator("#files-fault")).to_be_empty()
    page.locator("#files-close-choice").click()
    expect(page.locator("#files-opening")).to_be_visible()
    assert page.locator("#files-name").is_hidden()


def test_a_file_is_chosen_and_restored_by_keyboard_alone(visited, tmp_path):
    page = visited.page
    # Whom the browser asks for a file is settled at some later moment: early enough, before the key is pressed.
    page.on("filechooser", lambda chooser: None)
    path = tmp_path / "a.txt"
    path.write_text(NOISY, encoding="utf-8")
    page.locator("#files-input").focus()
    ring = "getComputedStyle(document.querySelector('#files-input + label')).outlineStyle"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert page.evaluate(ring) == "solid"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(path)
    expect(page.locator("#files-choice")).to_be_focused()
    for place in ("", "files-start"):  # lines have nothing to choose; the preview, which can be scrolled, has no id
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == place
    page.keyboard.press("Enter")
    expect(page.locator("#files-download")).to_be_focused()
    with page.expect_download() as started:
        page.keyboard.press("Enter")
    assert Path(started.value.path()).read_text(encoding="utf-8") == CLEAN


def test_what_was_chosen_stays_chosen_until_it_is_known_what_there_is_to_do(visit):
    opened = visit()
    page, held = opened.page, []
    page.route("**/v1/service", lambda route: held.append(route))  # playwright marks what it calls
    page.reload()
    open_file(page, "a.csv", f"id,후기\n1,{NOISY}\n".encode())
    page.locator("#files-start").click()
    for name in ("sheet", "header", "column", "start"):
        expect(page.locator(f"#files-{name}")).to_be_disabled()
    held[0].continue_()
    assert download(page)[1].decode() == f"id,후기,restored\n1,{NOISY},{CLEAN}\n"
