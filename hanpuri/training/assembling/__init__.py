"""
A recipe ─► all that a run works on: tokenizer, template, rows or blocks, network, what it is scored by.

In: a recipe, checked. Out: an Assembly. `assemble` is the door; `inputs` finds and hashes what a run depends on before
it begins, `corpora`, `rows`, `pairs` and `prompts` each put together what one family of kinds works on, from the parts
that `assembly` has.
"""
