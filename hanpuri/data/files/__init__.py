"""
Files on the way in and out: formats and encodings, rows read one at a time, results written whole or not at all.

In: a path. Out: rows, which can be written back beside what became of them.
"""
