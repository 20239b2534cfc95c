"""
The commands and their options, a module for each thing that people come for.

In: words on a command line. Out: a call of the module of `hanpuri.cli` that does the work and prints. `--help` shows
them in these groups.

What `restore`, `obfuscate` and `serve` do not need is imported by the command that needs it, and its examples stand
here: recipes, engines and scores would keep everybody waiting for a quarter of a second.
"""
