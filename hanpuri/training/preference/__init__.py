"""
Learning from pairs of answers: reward models and direct preference optimisation.

In: pairs as tokens. Out: a network that gives a text a number, or a model that holds the better answer more likely.
"""
