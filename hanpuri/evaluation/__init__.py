"""
Answers ─► scores: is it good, is it better, and can that be told from chance?

`rows` reads what is asked, `evaluate` asks an engine and scores it by `metrics`, `significance` says how sure that is,
`comparison` lays engines side by side. `report` makes a page of it, `verdict` advises, `postprocessing` tries steps.
"""
