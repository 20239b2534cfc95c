"""
A language model that never saw noise restores it: its own sense of Korean, and how likely the generator's noise is.

In:  {"noisy": "확창실인 념문 짝앎오"} and a model that writes character by character, such as runs/cpu-tiny.
Out: Answer("화장실이 너무 작아요", …), the text with the largest log P(text) + weight · log P(noisy | text).

`slots` lists what can stand in each place, `search` looks for the best text among all of them, `language_model` asks
the model for many beginnings at once, `engine` puts the three together.
"""
