"""
The advice is pure logic: each kind at its border, what it says, and that it recommends nothing that chance could be.

In: measured facts, written down. Out: the advice on them.
"""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.evaluation.significance import Difference, Interval
from hanpuri.evaluation.verdict.advice import Advice, advise
from hanpuri.evaluation.verdict.facts import Curve, DataFacts, Facts, Forecast, Scored, rows_needed

WIDE = 0.02  # of all intervals here, on each side of the value
DATA = DataFacts(num_test=400, num_train=3000)


def score(value, width=WIDE):
    return Interval(value, value - width, value + width)


def gain(value, sure=True):
    """A difference; one that is not sure has 0 in its interval."""
    width = abs(value) / 2 if sure else abs(value) * 2 + 0.01
    return Difference(value, value - width, value + width, 0.001 if sure else 0.4, 400)


def shipped(value, **more):
    return Scored("compact:base", "shipped", score(value), **more)


def asked(value, shots=0, brings=None, label="llm", **more):
    name = f"{label} {shots}-shot" if shots else f"{label} zero-shot"
    return Scored(name, "prompted", score(value), shots, brings, **more)


def trained(value, label="runs/mine", **more):
    return Scored(label, "trained", score(value), **more)


def facts(
    *candidates,
    data=DATA,
    good_enough=0.9,
    echo=0.2,
    unsure=(),
    better="high",
    curve=None,
    unavailable=(),
    nearest=None,
):
    """All pairs differ surely, but for those that are named."""
    first = Scored("echo", "echo", score(echo), copied=1.0)
    found = None if nearest is None else Scored("nearest", "nearest", score(nearest))
    everybody = (first, *candidates) if found is None else (first, found, *candidates)
    gains = {}
    for one, other in itertools.permutations(everybody, 2):
        value = (other.score.value - one.score.value) * (1 if better == "high" else -1)
        sure = value != 0 and {one.label, other.label} not in [set(pair) for pair in unsure]
        gains[one.label, other.label] = gain(value, sure)
    measure = "char_accuracy" if better == "high" else "cer"
    return Facts(measure, better, good_enough, first, candidates, gains, data, unavailable, curve, found)


def curve(*values, forecast, reach=None, last_sure=True, counts=(300, 1000, 3000)):
    points = tuple((count, score(value)) for count, value in zip(counts, values, strict=True))
    ahead = Forecast(6000, score(forecast), Interval(forecast - values[-1], 0.01 if last_sure else -0.01, 0.1), reach)
    return Curve(points, gain(values[-1] - values[0]), gain(values[-1] - values[-2] or 0.001, last_sure), ahead)


SHIPPED, PROMPT, IMPROVE = (
    "a shipped model does it",
    "prompting is enough",
    "improve the prompt, or add retrieval first",
)
TUNE, UNREADY, OPEN = "fine-tune", "the data is not ready", "it cannot be told yet"

CASES = [
    # a shipped model whose whole interval is beyond what is wanted
    (facts(shipped(0.93)), SHIPPED, "compact:base reaches 0.930 (0.910 to 0.950), 0.900 is wanted"),
    # its lower end exactly at what is wanted
    (facts(shipped(0.92)), SHIPPED, "compact:base reaches 0.920 (0.900 to 0.940), 0.900 is wanted"),
    # the interval holds what is wanted: 0.02 to each side, 0.01 away, so four times the rows
    (
        facts(shipped(0.91)),
        UNREADY,
        "whether compact:base is good enough is open: 0.910 (0.890 to 0.930), 0.900 is wanted",
    ),
    # the cheapest way goes first, whoever else reaches it
    (facts(shipped(0.93), asked(0.99), trained(0.99)), SHIPPED, "compact:base reaches 0.930"),
    (facts(shipped(0.5), asked(0.93), trained(0.99)), PROMPT, "llm zero-shot reaches 0.930"),
    # less is better: the upper end counts
    (
        facts(shipped(0.06), good_enough=0.08, echo=0.5, better="low"),
        SHIPPED,
        "compact:base reaches 0.060 (0.040 to 0.080)",
    ),
    (
        facts(shipped(0.07), good_enough=0.08, echo=0.5, better="low"),
        UNREADY,
        "whether compact:base is good enough is open",
    ),
    # nobody but a restorer that misses it
    (facts(shipped(0.5)), OPEN, "compact:base is the best asked, at 0.500 (0.480 to 0.520); 0.900 is wanted, and no"),
    # … and language models that are surely behind it
    (
        facts(shipped(0.8), asked(0.5), trained(0.6)),
        TUNE,
        "compact:base is ahead of every language model that was asked",
    ),
    (
        facts(shipped(0.61), asked(0.5), trained(0.6), unsure=[("compact:base", "runs/mine")]),
        TUNE,
        "training helps, and not yet enough: runs/mine is at 0.600",
    ),
    # nobody answered
    (facts(unavailable=[("llm", "the server is down")]), OPEN, "none of the candidates answered"),
    # trained reaches it, and is surely better than the prompt
    (facts(asked(0.5), trained(0.95)), TUNE, "runs/mine reaches 0.950"),
    # … not surely: both intervals are beside each other, and chance could be it
    (
        facts(asked(0.875), trained(0.925), unsure=[("llm zero-shot", "runs/mine")]),
        UNREADY,
        "runs/mine and llm zero-shot cannot be told apart: +0.050",
    ),
    # only zero-shot was tried
    (facts(asked(0.5)), IMPROVE, "llm zero-shot is the best prompt, at 0.500 (0.480 to 0.520); 0.900 is wanted"),
    # examples bring 0.3, 0.2 are missing: more of them may do
    (facts(asked(0.4), asked(0.7, 3, gain(0.3))), IMPROVE, "llm 3-shot is the best prompt"),
    # examples bring 0.1, 0.4 are missing
    (facts(asked(0.4), asked(0.5, 3, gain(0.1))), TUNE, "llm 3-shot is the best prompt"),
    # what they bring is not sure
    (facts(asked(0.4), asked(0.5, 3, gain(0.1, sure=False))), TUNE, "llm 3-shot is the best prompt"),
    # … and there are too few rows to train on
    (
        facts(asked(0.4), asked(0.5, 3, gain(0.1)), data=replace(DATA, num_train=199)),
        UNREADY,
        "llm 3-shot is the best prompt",
    ),
    (facts(asked(0.4), asked(0.5, 3, gain(0.1)), data=replace(DATA, num_train=200)), TUNE, "llm 3-shot is the best"),
    # examples bring nothing, and the answers hold words that no question has
    (
        facts(asked(0.4), asked(0.4, 3, gain(0.01, sure=False)), data=replace(DATA, known_words=0.1)),
        IMPROVE,
        "llm zero-shot is the best prompt",
    ),
    (
        facts(asked(0.4), asked(0.4, 3, gain(0.01, sure=False)), data=replace(DATA, known_words=0.3)),
        TUNE,
        "llm zero-shot is the best prompt",
    ),
    # the training rows hold the answers: what the most similar one says is surely ahead of every prompt
    (facts(asked(0.4), asked(0.5, 3, gain(0.1)), nearest=0.6), IMPROVE, "llm 3-shot is the best prompt"),
    (
        facts(asked(0.4), asked(0.5, 3, gain(0.1)), nearest=0.6, unsure=[("llm 3-shot", "nearest")]),
        TUNE,
        "llm 3-shot is the best prompt",
    ),
    # training is ahead, and misses
    (facts(asked(0.5), trained(0.7)), TUNE, "training helps, and not yet enough: runs/mine is at 0.700"),
    (facts(trained(0.7)), TUNE, "training helps, and not yet enough: runs/mine is at 0.700"),
    # trained on something, and no better than copying
    (
        facts(trained(0.21), unsure=[("echo", "runs/mine")]),
        OPEN,
        "runs/mine was trained and is not surely better",
    ),
    # training and prompt cannot be told apart, and examples bring little
    (
        facts(asked(0.4), asked(0.45, 3, gain(0.05)), trained(0.47), unsure=[("llm 3-shot", "runs/mine")]),
        UNREADY,
        "llm 3-shot is the best prompt",
    ),
    # training is surely behind the prompt
    (facts(asked(0.4), asked(0.45, 3, gain(0.05)), trained(0.3)), IMPROVE, "llm 3-shot is the best prompt"),
    # it reaches what is wanted, and may only copy: 0.89 are not enough, 0.93 are
    (
        facts(shipped(0.93), echo=0.875, unsure=[("echo", "compact:base")]),
        UNREADY,
        "compact:base reaches 0.930 (0.910 to 0.950), and may do no more than copy: +0.055",
    ),
    # the curve rises
    (
        facts(asked(0.4), trained(0.7), curve=curve(0.5, 0.6, 0.7, forecast=0.76, reach=9000)),
        TUNE,
        "more data helps: 3,000 training rows reach 0.700 (0.680 to 0.720), 0.900 is wanted; twice as many would reach"
        " 0.760 (0.740 to 0.780), if the curve goes on as it ran",
    ),
    # the curve is flat at its end, training ahead of the prompt: a larger base
    (
        facts(asked(0.4), trained(0.7), curve=curve(0.5, 0.7, 0.7, forecast=0.7, last_sure=False)),
        TUNE,
        "more data is not the way: from 1,000 to 3,000 training rows it was +0.001",
    ),
    # … behind it: the prompt
    (
        facts(
            asked(0.71),
            trained(0.7),
            unsure=[("llm zero-shot", "runs/mine")],
            curve=curve(0.5, 0.7, 0.7, forecast=0.7, last_sure=False),
        ),
        IMPROVE,
        "more data is not the way",
    ),
    # it rises, but twice the data would not pass the prompt
    (
        facts(asked(0.8), trained(0.5), curve=curve(0.3, 0.4, 0.5, forecast=0.6)),
        IMPROVE,
        "llm zero-shot is the best prompt",
    ),
    # echo is good enough
    (facts(shipped(0.99), echo=0.95), UNREADY, "giving back the question as it is reaches 0.950 (0.930 to 0.970)"),
    # the data: 29 rows; 1 % and more leaked; answers missing; the question as the answer; contradictions
    (facts(shipped(0.99), data=replace(DATA, num_test=29)), UNREADY, "29 test rows are too few to tell anything apart"),
    (facts(shipped(0.99), data=replace(DATA, num_test=30)), SHIPPED, "compact:base reaches"),
    (
        facts(shipped(0.99), data=replace(DATA, num_leaked=5)),
        UNREADY,
        "5 of 400 test rows stand among the training rows",
    ),
    (facts(shipped(0.99), data=replace(DATA, num_leaked=4)), SHIPPED, "compact:base reaches"),
    (facts(shipped(0.99), data=replace(DATA, num_empty=35)), UNREADY, "35 rows are broken, or have no answer"),
    (facts(shipped(0.99), data=replace(DATA, num_empty=34)), SHIPPED, "compact:base reaches"),
    (
        facts(shipped(0.99), data=replace(DATA, num_same=201)),
        UNREADY,
        "201 of 400 test rows have the question as their",
    ),
    (facts(shipped(0.99), data=replace(DATA, num_same=200)), SHIPPED, "compact:base reaches"),
    (
        facts(shipped(0.99), data=replace(DATA, num_contradictory=90, ceiling=0.89)),
        UNREADY,
        "90 of 400 test rows ask what is answered otherwise elsewhere: the best answer to each question scores 0.890",
    ),
    (facts(shipped(0.99), data=replace(DATA, num_contradictory=90, ceiling=0.9)), SHIPPED, "compact:base reaches"),
]


@pytest.mark.parametrize(("measured", "kind", "because"), CASES)
def test_each_kind_of_advice_has_its_border(measured, kind, because):
    found = advise(measured)
    assert (found.kind, found.because[: len(because)]) == (kind, because)
    assert found.steps
    assert all(not step.endswith(".") for step in (*found.steps, *found.reasons, found.because))


SENTENCES = [
    # the number of rows that would tell
    (facts(shipped(0.91)), "steps", "about 1,600 test rows would tell, there are 400"),
    # on the border itself no number does
    (
        facts(shipped(0.9)),
        "steps",
        "it lies on the border itself, which no number of rows will settle: ask for more or for less",
    ),
    # +0.050 with 0.110 to each side: 400 × (0.110 / 0.050)²
    (
        facts(asked(0.875), trained(0.925), unsure=[("llm zero-shot", "runs/mine")]),
        "steps",
        "about 2,000 test rows would tell the two apart, there are 400",
    ),
    # who only copies is named, whatever else is said
    (
        facts(asked(0.2, copied=0.97)),
        "reasons",
        "llm zero-shot mostly copies: 97% of its answers are the question itself",
    ),
    (
        facts(asked(0.1)),
        "reasons",
        "llm zero-shot is worse than giving back the question: -0.100 (-0.150 to -0.050, p 0.001)",
    ),
    (
        facts(asked(0.21), unsure=[("echo", "llm zero-shot")]),
        "reasons",
        "llm zero-shot is not surely better than giving back the question: +0.010 (-0.020 to +0.040, p 0.400)",
    ),
    (facts(asked(0.5, num_failed=3)), "reasons", "llm zero-shot left 3 rows unanswered, which count as wrong"),
    (facts(shipped(0.99), unavailable=[("llm", "no key")]), "reasons", "llm was left out: no key"),
    # what is paid for
    (
        facts(asked(0.95, 3, gain(0.3))),
        "reasons",
        "its 3 examples bring +0.300 (+0.150 to +0.450, p 0.001)",
    ),
    (facts(asked(0.95, 3, gain(0.3))), "steps", "try fewer examples: each is paid for with every question"),
    # who is better still, at which price
    (
        facts(shipped(0.93), asked(0.99, price=1.5)),
        "reasons",
        "llm zero-shot is better still by +0.060 (+0.030 to +0.090, p 0.001), for 1.50 per 1,000 rows",
    ),
    # a cheaper way that may do as well
    (
        facts(shipped(0.89), asked(0.99)),
        "reasons",
        "compact:base may do as well, at 0.890 (0.870 to 0.910): about 1,600 test rows would tell, there are 400",
    ),
    (
        facts(
            asked(0.4),
            asked(0.4, 3, gain(0.01, sure=False)),
            data=replace(DATA, known_words=0.1, num_answers_in_training=80),
        ),
        "reasons",
        "80 of 400 answers stand word for word among the training rows",
    ),
    (
        facts(asked(0.5), nearest=0.6),
        "reasons",
        "the answer of the most similar training question, as it stands, reaches 0.600 (0.580 to 0.620):"
        " +0.100 (+0.050 to +0.150, p 0.001) over llm zero-shot",
    ),
    (
        facts(asked(0.4), trained(0.7), curve=curve(0.5, 0.6, 0.7, forecast=0.76, reach=9000)),
        "reasons",
        "the curve meets 0.900 at about 9,000 training rows",
    ),
    (
        facts(asked(0.4), trained(0.7), curve=curve(0.5, 0.6, 0.7, forecast=0.76, reach=4100)),
        "steps",
        "write 1,100 more training rows, and judge again before you write the rest",
    ),
    # more of the rows are there already
    (
        facts(
            asked(0.4),
            trained(0.7),
            data=replace(DATA, num_train=6000),
            curve=curve(0.5, 0.6, 0.7, forecast=0.76, reach=9000),
        ),
        "steps",
        "train on 3,000 more of the 6,000 rows that there are, and judge again",
    ),
    (
        facts(asked(0.4), trained(0.7), curve=curve(0.5, 0.6, 0.7, forecast=0.76)),
        "reasons",
        "within 4 times the data the curve does not meet 0.900: a larger base, too",
    ),
    (
        facts(asked(0.4), trained(0.95), curve=curve(0.8, 0.93, 0.95, forecast=0.96)),
        "reasons",
        "1,000 training rows reach it",
    ),
    (
        facts(asked(0.4), asked(0.45, 3, gain(0.05)), trained(0.3)),
        "reasons",
        "runs/mine was trained and is behind it: -0.150 (-0.225 to -0.075, p 0.001)",
    ),
    # of the trained ones alone: whether a prompt would do is not known
    (facts(trained(0.95)), "reasons", "no model was asked that is only prompted"),
]


@pytest.mark.parametrize(("measured", "where", "sentence"), SENTENCES)
def test_the_reasons_and_the_steps_hold_the_numbers(measured, where, sentence):
    assert sentence in getattr(advise(measured), where)


def test_of_prompts_that_reach_it_the_cheapest_is_named():
    dear, cheap = asked(0.98, 8, price=3.0), asked(0.95, 3, price=1.0)
    found = advise(facts(dear, cheap, unsure=[(dear.label, cheap.label)]))
    assert found.because.startswith("llm 3-shot reaches 0.950")


def test_all_faults_of_the_data_are_told_at_once():
    found = advise(facts(shipped(0.99), data=replace(DATA, num_leaked=50, num_empty=300)))
    assert found.because == "50 of 400 test rows stand among the training rows, which flatters who learnt them"
    assert "300 rows are broken, or have no answer" in found.reasons
    assert len(found.steps) == 2


def test_no_difference_that_could_be_chance_makes_a_training_out_of_it():
    everybody = [asked(0.4), asked(0.45, 3, gain(0.05, sure=False)), trained(0.95)]
    pairs = [(one.label, other.label) for one, other in itertools.combinations(everybody, 2)]
    found = advise(facts(*everybody, unsure=pairs))
    assert found.kind == UNREADY
    assert "cannot be told apart" in found.because


shares = st.floats(0.01, 0.99)


@given(
    values=st.lists(st.tuples(st.sampled_from(["shipped", "prompted", "trained"]), shares), max_size=5),
    echo=shares,
    good_enough=st.floats(0.05, 1.0),
    width=st.floats(0.0, 0.2),
    sure=st.booleans(),
    better=st.sampled_from(["high", "low"]),
    num_train=st.one_of(st.none(), st.integers(0, 10_000)),
)
def test_whatever_was_measured_there_is_advice_and_it_keeps_its_promises(
    values, echo, good_enough, width, sure, better, num_train
):
    candidates = tuple(Scored(f"{way} {n}", way, score(value, width)) for n, (way, value) in enumerate(values))
    labels = ["echo", *(one.label for one in candidates)]
    unsure = [] if sure else list(itertools.combinations(labels, 2))
    data = replace(DATA, num_train=num_train)
    measured = facts(*candidates, data=data, echo=echo, good_enough=good_enough, better=better, unsure=unsure)
    found = advise(measured)
    assert isinstance(found, Advice)
    reached = [one for one in candidates if measured.place(one.score) == "reached"]
    if found.kind in (SHIPPED, PROMPT):
        assert any(one.label in found.because for one in reached)
    if not sure:
        assert found.kind not in (SHIPPED, PROMPT)
    if found.kind == TUNE:
        assert {one.way for one in candidates} - {"shipped"}


@pytest.mark.parametrize(
    ("half_width", "distance", "num_rows", "needed"),
    [
        (0.02, 0.01, 100, 400),
        (0.013, 0.01, 100, 170),  # in two figures, upwards
        (0.001, 0.01, 100, 101),  # never fewer than there are
        (0.02, 0.0, 100, None),
        (0.5, 0.001, 100, None),  # a million and more
    ],
)
def test_rows_needed_grow_with_the_square(half_width, distance, num_rows, needed):
    assert rows_needed(half_width, distance, num_rows) == needed
