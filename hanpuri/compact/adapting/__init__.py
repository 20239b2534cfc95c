"""
A user's own clean sentences ─► a shipped model that knows their words: what `hanpuri adapt` does, part by part.

In:  texts without pairs, and a model to begin from.   Out: a model's folder with a card, and what was gained.
"""
