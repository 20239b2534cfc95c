"""
Text with syllables hidden by other writing ─► the same in plain Hangul, by rules that are certain, with each change.

In:  "ㅎㅏㄴ식 ㅁrㅅ집".   Out: "한식 맛집", and Change(0, 3, "한", "split"), Change(5, 8, "맛", "pieces"), …

    draft        a text on its way, and which part of the first one each character stands for
    normalising  all rules, in their order
    characters   invisible characters, styled and half-width letters      jamo         loose letters ─► syllables
    lookalikes   signs that look like letters or syllables                decorations  signs put in
    latin        Latin letters for Hangul ones                            hanja        Hanja for syllables

What needs the sense of a text is left to the model behind it.
"""
