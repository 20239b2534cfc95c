"""
Is fine-tuning needed? Candidates are asked the same rows, and what they reach becomes advice with its reasons.

In: a recipe of `kind: verdict`. Out: a folder with verdict.json, verdict.html and all answers, and the advice itself.
"""
