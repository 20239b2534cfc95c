"""
What people said of restored texts: kept in a database, given back as files to learn from.

In:  a correction or a vote that the page sends.   Out: a row, and one day a line of a training file.

    said        a correction and a vote                  tables      how they lie in a database
    database    a URL ─► SQLite or PostgreSQL            migrations  how the tables came to be, step by step
    migrating   tables are brought up to date            store       add, find, delete, read
    export      rows ─► corrections, preferences, pairs  statistics  how many of what there are
"""
