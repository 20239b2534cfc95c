"""
Learning from answers of one's own: GRPO and RLOO.

In: prompts, and rewards for what the model writes behind them. Out: a model that is rewarded more. `reward` says what a
reward is; `samples` keeps answers of each evaluation for people to read, `signs` are those of a reward that is hacked,
`by_heart` tells when the prompts teach nothing any more, `loops` are TRL's trainers with our prompts, our rewards and
our evaluation.
"""
