"""
What is done to the texts of a row before it is compared with others: characters, mojibake, personal data, filters.

In: the fields of a row. Out: the cleaned fields, each change by name, and why a row is left out.
"""
