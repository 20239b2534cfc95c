"""
What is looked at before the first step: rows as they are trained, faults of the loss mask, memory, disk, time.

In: a recipe, and the model and rows that it will train on. Out: a Preflight to be shown and kept, or one line on what
would have spoilt the training hours later. `preflight` is the door.
"""
