"""
Trained model ─► text: one module an engine, all with the same few words.

In: a folder with a model, and rows such as `{"instruction": "한강은 어디로 흐르나요?", "input": ""}`. Out: answers.
"""
