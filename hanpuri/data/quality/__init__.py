"""
What a training set is like, in numbers, in plain words and on a page, before a GPU is paid for.

In: what the stages of `hanpuri prepare` counted, and the rows that they made. Out: report.html and report.json.
"""
