"""
The steps of a training, from the first one to the model that is kept.

In: a recipe, a model and its data. Out: a run's folder with checkpoints, metrics and the model or the adapter.
`trainer.run_loop` is the door; `material` is what it works on, `engine` TRL's trainer with our evaluation and saves,
`arguments` what it is told, `progress` what a run knows of itself, `checkpoints` what outlives a kill, `stopping` when
to end before the end, `watching`, `trackers` and `terminal` who is told.
"""
