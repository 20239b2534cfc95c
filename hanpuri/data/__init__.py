"""
Raw files to clean, split, rendered examples.

In: the files that people have. Out: what training and evaluation eat. One row on its way, room by room:

    files/         line 2 of reviews.csv: 1,이 영화  쨰밌어요
    records/    ─► Record({"text": "이 영화  쨰밌어요"}, id="1", where="reviews.csv:2", …)
    cleaning/   ─► {"text": "이 영화 쨰밌어요"}
    preparation/   ─► a row of train.parquet, if no other says the same      quality/ ─► the report on all rows
    templates.py   ─► "…### 답변:" and " …"                                 export/  ─► other tools' files
    examples.py    ─► input_ids and labels                                  packing.py ─► blocks and packs
"""
