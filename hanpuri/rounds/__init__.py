"""
Rounds: the same stages again and again, each round with what the model of the round before it can do.

In: a recipe of `kind: rounds`. Out: a folder a round, with a run for each training stage, and one table over all:

    recipe     the rounds, as a file says them
    stages     what each of their stages may say
    ahead      what can be told before the first round
    plan       recipe ─► the steps of a round: what each reads, and where it writes
    foreseen   what a call would do about each step
    ledger     whether a step has to be done, and what was made by it
    rows       which rows a round gets; that none of them is held out
    asking     a step that asks the model: samples, pairs, its score on held-out rows
    training   a step that trains ─► an ordinary run
    rounds     the door: round by round, until the score no longer rises
    outcome    where the rounds stand, and which is the best
    table      the same, a line a stage: for a terminal, as JSON and CSV
    page       the same with plots, and answers to read
"""
