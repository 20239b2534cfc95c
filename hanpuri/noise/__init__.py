"""
Clean text ─► obfuscated text, and what can be said backwards.

`rules` is the table of what changes into what, `airbnb` the generator made of these rules, `obfuscate` the door to it
(profile, strength, seed), `batched` the same generator over tensors for training, `channel` its inverse, `changes` and
`likelihood` how likely it is that one text became another.
"""
