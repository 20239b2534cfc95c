"""
Sentences that several rules of the advice need, each with its numbers.

In: Facts. Out: such as "llm zero-shot mostly copies: 97% of its answers are the question itself".
"""

import math

from hanpuri.evaluation.significance import Difference
from hanpuri.evaluation.verdict.facts import WAYS, Facts, Scored, is_better, rows_needed, told, told_gain, told_price

COPIES = 0.5  # from this share on, a candidate is said to copy


def always_said(facts: Facts) -> list[str]:
    """What a reader should know whatever the advice is: who only copies, who failed, what the data hides."""
    said = [
        f"{one.label} mostly copies: {one.copied:.0%} of its answers are the question itself"
        for one in facts.candidates
        if one.copied >= COPIES
    ]
    over_echo = [(one, facts.gain(facts.echo, one)) for one in facts.candidates if one.copied < COPIES]
    said += [
        f"{one.label} is {'worse' if gain.significant() else 'not surely better'} than giving back the question:"
        f" {told_gain(gain)}"
        for one, gain in over_echo
        if not is_better(gain)
    ]
    said += [
        f"{one.label} left {one.num_failed:,} rows unanswered, which count as wrong"
        for one in facts.candidates
        if one.num_failed
    ]
    said += [f"{label} was left out: {why}" for label, why in facts.unavailable]
    data = facts.data
    if data.num_leaked:
        said.append(f"{share_of(data.num_leaked, data.num_test)} test rows stand among the training rows")
    if data.num_contradictory and data.ceiling is not None:
        said.append(f"{data.num_contradictory:,} test rows contradict others: nobody can score over {data.ceiling:.3f}")
    return said


def best_of_each_way(facts: Facts) -> tuple[str, ...]:
    """Give the best score of each way, a sentence a way."""
    found = (facts.best([way]) for way in WAYS)
    return tuple(f"{one.label}: {told(one.score)}" for one in found if one)


def what_examples_bring(chosen: Scored) -> list[str]:
    """Say what the examples of a candidate bring, if it has any."""
    if chosen.over_zero_shot is None:
        return []
    return [f"its {chosen.shots} examples bring {told_gain(chosen.over_zero_shot)}"]


def cheaper_but_open(facts: Facts, chosen: Scored) -> list[str]:
    """Name the cheaper ways that may do as well."""
    cheaper = WAYS[: WAYS.index(chosen.way)]
    return [
        f"{one.label} may do as well, at {told(one.score)}: {rows_for_border(facts, one)}"
        for one in facts.candidates
        if one.way in cheaper and facts.place(one.score) == "open"
    ]


def what_more_brings(facts: Facts, chosen: Scored) -> list[str]:
    """Name the one that is surely better still, with its price."""
    best = facts.best()
    if best is None or best is chosen or not is_better(facts.gain(chosen, best)):
        return []
    price = "" if best.price is None else f", for {told_price(best.price)} per 1,000 rows"
    return [f"{best.label} is better still by {told_gain(facts.gain(chosen, best))}{price}"]


def cost_of(one: Scored) -> tuple[float, int, float]:
    """Give what candidates are sorted by where each is good enough: price, examples, time."""
    return math.inf if one.price is None else one.price, one.shots, one.seconds


def how_to_use(chosen: Scored) -> str:
    """Say what to do with a candidate that is good enough."""
    return f"use {chosen.label}, and check it on fresh rows: hanpuri evaluate"


def cheaper_steps(chosen: Scored) -> tuple[str, ...]:
    """Say how a prompt that is good enough may become cheaper."""
    return ("try fewer examples: each is paid for with every question",) if chosen.shots else ()


def rows_for_border(facts: Facts, one: Scored) -> str:
    """Say how many rows tell whether a candidate is good enough."""
    distance = abs(one.score.value - facts.good_enough)
    needed = rows_needed((one.score.high - one.score.low) / 2, distance, facts.data.num_test)
    if needed is None:
        return "it lies on the border itself, which no number of rows will settle: ask for more or for less"
    return f"about {needed:,} test rows would tell, there are {facts.data.num_test:,}"


def rows_to_tell_apart(gain: Difference) -> str:
    """Say how many rows tell which of two candidates is better."""
    needed = rows_needed((gain.high - gain.low) / 2, abs(gain.value), gain.num_rows)
    if needed is None:
        return "the two are as good as equal: take the cheaper one"
    return f"about {needed:,} test rows would tell the two apart, there are {gain.num_rows:,}"


def share_of(count: int, total: int) -> str:
    """
    Write how many of how many.

        >>> share_of(12, 1500)
        '12 of 1,500'
    """
    return f"{count:,} of {total:,}"
