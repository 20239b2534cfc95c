"""
Raw rows to a training set: cleaned, de-duplicated, split and augmented, each step counted.

In: a recipe of `kind: prepare`. Out: a folder with train, validation and test rows, a report, and a ledger that says
what became of every row.
"""
