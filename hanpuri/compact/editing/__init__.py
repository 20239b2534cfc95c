"""
The network whose labels are edits, and what stands around it: `--reach wide`.

    to train      edits ─► windows ─► export
    to restore    reader ─► gate ─► kinds ─► wide
"""
