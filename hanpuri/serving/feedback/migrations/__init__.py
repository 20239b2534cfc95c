"""
How the tables of feedback came to be: a module a step, in the order of their names.

In:  a database at some step, or an empty one.   Out: `upgrade()` of each later step has been called. A step is named
like its file (`r0001_first_tables`), in 32 characters at most; a step that was
released is never changed, a new one goes behind it.
"""
