"""
Clean text ─► a trained network, part by part in the order of a step.

    corpus ─► noising ─► loss (and teaching) ─► optimizer, schedule, averaging; graph records it
    trainer holds what lasts between two steps, training is the whole of it, export makes the shipped file
"""
