"""
Rendered examples ─► a trained LLM, on TRL, PEFT, transformers and bitsandbytes.

In: a recipe of `kind: pretrain` or `kind: sft`. Out: a run's folder with the model or the adapter, and all that says
how it came about. `train` is the door; `loading`, `feeding`, `preflight`, `loop` and `publishing` are the rooms behind
it, in the order in which a run goes through them.
"""
