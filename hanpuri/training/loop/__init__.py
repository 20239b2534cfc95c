"""
The steps of a training, from the first one to the model that is kept.

In: a recipe, a model and its data. Out: a run's folder with checkpoints, metrics and the model or the adapter.
`trainer.run_loop` is the door; `material` is what it works on, `engine` what every trainer of TRL is given,
`next_token` that of texts,
`arguments` what it is told, `rhythm` what follows a step, `progress` what a run knows of itself, `bits` a measure that
compares tokenizers, `checkpoints` what outlives a kill, `stopping` when to end before the end; `watching`, `trackers`
and `terminal` are who is told.
"""
