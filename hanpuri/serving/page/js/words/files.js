/* Words of js/files/: files that are restored as a whole. */

export const words = {
  "files.title": { ko: "파일 통째로 되살리기", en: "Restore a whole file" },
  "files.what": {
    ko: "CSV, TSV, TXT, 엑셀(XLSX) 파일을 넣으면 되살린 글을 새 열로 덧붙여 드려요. 파일은 이 브라우저에서 열고, 고른 열의 글만 서비스로 보내요.",
    en: "Give a CSV, TSV, TXT or Excel (XLSX) file and get it back with a new column of restored texts. The file is opened in this browser; only the texts of the column that you pick go to the service.",
  },
  "files.choose": { ko: "파일 고르기", en: "Choose a file" },
  "files.or_drop": { ko: "또는 여기에 끌어다 놓으세요.", en: "or drop it here." },
  "files.reading": { ko: "파일을 읽고 있어요…", en: "Reading the file…" },
  "files.opened": { ko: "파일을 열었어요. 모두 {rows}줄이에요.", en: "The file is open; rows: {rows}." },
  "files.facts": { ko: "{rows}줄 · {encoding}", en: "{rows} rows · {encoding}" },
  "files.facts_sheet": { ko: "{rows}줄", en: "{rows} rows" },
  "files.facts_lines": { ko: "{rows}줄 · {encoding}", en: "{rows} lines · {encoding}" },
  "files.sheet": { ko: "시트", en: "Sheet" },
  "files.column": { ko: "되살릴 열", en: "Column to restore" },
  "files.header": { ko: "열 이름이 있는 줄", en: "Row with the column names" },
  "files.no_header": { ko: "없음", en: "none" },
  "files.header_row": { ko: "{line}번째 줄: {text}", en: "row {line}: {text}" },
  "files.named_column": { ko: "{number}. {name}", en: "{number}. {name}" },
  "files.column_number": { ko: "{number}번째 열", en: "column {number}" },
  "files.preview": { ko: "미리 보기", en: "Preview" },
  "files.start": { ko: "되살리기 시작", en: "Start restoring" },
  "files.other_file": { ko: "다른 파일 고르기", en: "Choose another file" },
  "files.working": { ko: "되살리는 중이에요", en: "Restoring" },
  "files.paused": { ko: "멈춰 있어요", en: "Not running" },
  "files.started": { ko: "글 {all}개를 되살리기 시작했어요.", en: "Restoring has begun; texts: {all}." },
  "files.counts": { ko: "글 {all}개 가운데 {done}개를 되살렸어요.", en: "{done} of {all} texts restored." },
  "files.seconds_left": { ko: "약 {seconds}초 남았어요.", en: "About {seconds} s left." },
  "files.minutes_left": { ko: "약 {minutes}분 남았어요.", en: "About {minutes} min left." },
  "files.stop": { ko: "멈추기", en: "Stop" },
  "files.stopped": { ko: "멈췄어요. 되살린 글은 그대로 두었으니 이어서 할 수 있어요.", en: "Stopped. What is restored is kept; you can go on." },
  "files.resume": { ko: "이어서 하기", en: "Go on" },
  "files.done": { ko: "다 됐어요. 이제 내려받을 수 있어요.", en: "Done. The file is ready to download." },
  "files.summary": {
    ko: "서로 다른 글 {all}개를 읽었고, 그중 {changed}개가 바뀌었어요.",
    en: "{all} different texts were read; {changed} of them changed.",
  },
  "files.download": { ko: "내려받기", en: "Download" },

  "files.remark_mark": {
    ko: "원래 파일은 CP949(EUC-KR)였고, 새 파일은 엑셀에서도 바로 열리는 UTF-8(BOM)이에요.",
    en: "The file that you gave was CP949; the new one is UTF-8 with a BOM, which Excel opens as it is.",
  },
  "files.remark_utf8": {
    ko: "새 파일도 원래 파일처럼 BOM 없는 UTF-8이에요. 엑셀에서는 ‘데이터 › 텍스트/CSV에서’로 열어 주세요.",
    en: "The new file is UTF-8 without a BOM, like the one that you gave. In Excel, open it with Data › From Text/CSV.",
  },
  "files.remark_long": {
    ko: "너무 긴 글 {count}개는 되살리지 않았어요(줄: {lines}). 표라면 새 칸이 비어 있어요.",
    en: "Texts that are too long were not restored: {count} (lines {lines}). In a table their new cells are empty.",
  },
  "files.remark_refused": {
    ko: "서비스가 처리하지 못한 글이 {count}개 있어요. 표라면 새 칸이 비어 있어요.",
    en: "Texts that the service could not work with: {count}. In a table their new cells are empty.",
  },
  "files.remark_formulas": {
    ko: "값이 저장되지 않은 수식이 {count}칸 있어서 그 줄의 새 칸은 비워 두었어요. 엑셀에서 열어 저장한 뒤 다시 넣으면 되살릴 수 있어요.",
    en: "Formulas whose result is not in the file: {count}; the new cells beside them are empty. Open and save the file in Excel, then give it again.",
  },
  "files.remark_uneven": {
    ko: "칸 수가 다른 줄이 {count}개 있어요(줄: {lines}). 새 열이 어긋나지 않게 빈칸을 채웠어요.",
    en: "Rows with another number of cells: {count} (lines {lines}). Empty cells were added so that the new column stays in line.",
  },
  "files.remark_formula": {
    ko: "새 열에 =, +, -, @로 시작하는 글이 {count}개 있어요. 엑셀이 수식으로 읽을 수 있으니, 믿을 수 없는 글이라면 ‘데이터 › 텍스트/CSV에서’로 열어 주세요.",
    en: "Texts in the new column that begin with =, +, - or @: {count}. Excel may take them for formulas; if you do not trust them, open the file with Data › From Text/CSV.",
  },

  "files.fault_not_done": {
    ko: "앞 파일의 결과를 아직 내려받지 않았어요. 내려받거나 ‘다른 파일 고르기’를 누른 뒤에 넣어 주세요. 되살리는 중이면 먼저 멈춰 주세요.",
    en: "The file before is not downloaded yet. Please download it or press “Choose another file” first; stop it if it is still being restored.",
  },
  "files.fault_no_rows": {
    ko: "열 이름 아래에 줄이 없어요. ‘열 이름이 있는 줄’을 ‘없음’으로 바꾸거나, 다른 시트나 파일을 골라 주세요.",
    en: "There are no rows below the column names. Set the row with the names to “none”, or choose another sheet or file.",
  },
  "files.fault_nul": {
    ko: "{line}번째 줄에 글자가 아닌 것(NUL)이 들어 있어요. 파일을 다시 내보내거나 UTF-8로 저장해서 넣어 주세요.",
    en: "Line {line} holds a NUL, which is no letter. Please export the file anew, or save it as UTF-8 without it.",
  },
  "files.fault_not_loaded": {
    ko: "서비스에 닿지 않아 파일을 여는 부분을 불러오지 못했어요. 서비스가 켜져 있는지 보고 파일을 다시 넣어 주세요.",
    en: "What opens files could not be loaded, for the service is away. Give the file again once the service is back.",
  },
  "files.fault_many": { ko: "파일 {count}개가 들어왔어요. 한 번에 하나씩 넣어 주세요.", en: "Found {count} files; please give one at a time." },
  "files.fault_big": { ko: "파일이 너무 커요. {limit} MB까지 열 수 있으니 나누어서 넣어 주세요.", en: "The file is too large; up to {limit} MB can be opened. Please split it." },
  "files.fault_unread": { ko: "브라우저가 파일을 읽지 못했어요. 폴더가 아닌 파일인지 확인해 주세요.", en: "The browser could not read it. Is it a file, and not a folder?" },
  "files.fault_empty": { ko: "파일이 비어 있어요. 내용이 있는 파일을 넣어 주세요.", en: "The file is empty. Please give one that holds something." },
  "files.fault_encoding": {
    ko: "어떤 인코딩인지 알 수 없어요({line}번째 줄). UTF-8로 저장해서 다시 넣어 주세요.",
    en: "The encoding is not UTF-8, UTF-16 or CP949 (line {line}). Please save the file as UTF-8.",
  },
  "files.fault_mixed": { ko: "줄마다 인코딩이 달라요. 모두 UTF-8로 저장해서 다시 넣어 주세요.", en: "Some lines are UTF-8, others CP949. Please save the whole file as UTF-8." },
  "files.fault_binary": { ko: "글이 든 파일이 아니에요. CSV, TSV, TXT, XLSX 파일을 넣어 주세요.", en: "This is no text file. Please give a CSV, TSV, TXT or XLSX file." },
  "files.fault_quote": {
    ko: "{line}번째 줄에서 시작한 따옴표(\")가 닫히지 않았어요. 따옴표를 고쳐서 다시 넣어 주세요.",
    en: "A quote (\") that begins in line {line} is not closed. Please mend it and try again.",
  },
  "files.fault_no_workbook": { ko: "엑셀(XLSX) 통합 문서가 아니에요. 엑셀에서 XLSX로 저장해 주세요.", en: "This is no Excel workbook. Please save it as XLSX." },
  "files.fault_xls": { ko: "예전 엑셀 형식(XLS)은 열 수 없어요. 엑셀에서 XLSX로 저장해 주세요.", en: "The old Excel format (XLS) cannot be opened. Please save the file as XLSX." },
  "files.fault_password": { ko: "암호가 걸린 파일이에요. 암호를 풀고 저장한 뒤 다시 넣어 주세요.", en: "The file has a password. Please save it without one." },
  "files.fault_damaged": { ko: "파일이 깨져 있어서 열 수 없어요. 엑셀에서 열어 다시 저장한 뒤 넣어 주세요.", en: "The file is damaged. Try to open it in Excel and save it again." },
  "files.fault_memory": {
    ko: "파일이 커서 이 브라우저에서 다룰 수 없어요. 나누어서 넣어 주세요.",
    en: "The file needs more memory than this browser has. Please split it.",
  },
  "files.fault_bomb": { 
    ko: "압축을 풀면 지나치게 커지는 파일이라 열지 않았어요. 되살릴 시트만 새 파일로 저장해서 넣어 주세요.",
    en: "The file would unpack to far more than it should, so it was not opened. Save the sheet alone as a new file and give that.",
  },
  "files.fault_wide": { 
    ko: "시트의 마지막 열까지 차 있어서 새 열을 넣을 수 없어요. 맨 끝 열을 지우고 다시 넣어 주세요.",
    en: "The sheet has no room for one more column. Please clear its last column and try again.",
  },
  "files.fault_no_hangul": { ko: "고른 열에 한글이 없어요. 다른 열을 골라 주세요.", en: "The column holds no Korean text. Please pick another one." },
  "files.fault_no_korean": { ko: "파일에 한글이 없어요. 다른 파일을 골라 주세요.", en: "The file holds no Korean text. Please choose another one." },
  "files.fault_all_long": { 
    ko: "글이 모두 서비스가 받는 길이보다 길어요. 짧게 나누어서 다시 넣어 주세요.",
    en: "All texts are longer than the service takes. Please split them and try again.",
  },
  "files.fault_closed": { ko: "파일을 닫았어요.", en: "The file was closed." },
};
