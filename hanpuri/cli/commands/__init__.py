"""
The commands and their options, a module for each thing that people come for.

In: words on a command line. Out: a call of the module of `hanpuri.cli` that does the work and prints. `--help` shows
them in these groups.
"""
