"""
The files of a recipe ─► records: the fields that their form has, whatever the columns were called.

In: a source of the recipe. Out: records in the order of the files, and all faults of a file at once.
"""
