"""
Texts of many requests at a time ─► restored texts, as the library gives them.

In:  ["확잠실읾 념뭄 잙앙욤"], the name of a model, how many alternatives.   Out: [Restored("확잠…", "화장실이 …", …)]

    restorers   all that restores, by name        turns      requests ─► runs on worker threads, one after the other's
    compact     a compact model's work            asking     a language model's
    restored    what both give                    marks      texts that would take too long to bring to NFC
"""
