"""
A recipe's `model` and `adapter` ─► a network that is ready to learn.

In: ModelSettings, AdapterSettings, a tokenizer. Out: a PreTrainedModel from a folder (`models`) or with random weights
(`scratch`), for longer texts if told (`rope`), with an adapter if told (`adapters`); and before any of that, what this
machine cannot do (`hardware`).
"""
