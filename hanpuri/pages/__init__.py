"""
Self-contained HTML pages: what a stage has to tell, with plots, for a person to read without the net.

In: sections of text, tables and plots. Out: one HTML file. Nothing here knows a stage: a stage brings its numbers.
"""
