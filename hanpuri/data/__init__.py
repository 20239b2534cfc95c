"""
Raw files to clean, split, rendered examples.

In: the files that people have. Out: what training and evaluation eat. One row on its way:

    line 2 of reviews.csv         the row
    1,이 영화 쨰밌어요        ─►  Row(text="이 영화 쨰밌어요", record={"id": "1", ...}, where="reviews.csv:2")
"""
