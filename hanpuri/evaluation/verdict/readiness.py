"""
What is wrong with rows, so that no score on them means anything.

In: Facts. Out: each fault with its mend, none if the rows are sound:

    ("29 test rows are too few to tell anything apart", "give 30 test rows at least")
"""

from hanpuri.evaluation.significance import Interval
from hanpuri.evaluation.verdict.facts import Facts, told
from hanpuri.evaluation.verdict.remarks import share_of

MIN_TEST_ROWS = 30  # below, an interval from resampled rows is too narrow
MAX_LEAKED = 0.01  # of the test rows
MAX_EMPTY = 0.01
MAX_SAME = 0.5


def faults_of_data(facts: Facts) -> list[tuple[str, str]]:
    """List what makes scores on these rows say nothing, each with its mend."""
    data, found = facts.data, []
    if data.num_test < MIN_TEST_ROWS:
        said = f"{data.num_test} test rows are too few to tell anything apart"
        found.append((said, f"give {MIN_TEST_ROWS} test rows at least"))
    if data.num_leaked > MAX_LEAKED * data.num_test:
        leaked = share_of(data.num_leaked, data.num_test)
        said = f"{leaked} test rows stand among the training rows, which flatters who learnt them"
        found.append((said, "split again, so that no question stands on both sides: hanpuri prepare"))
    if data.num_empty > MAX_EMPTY * (data.num_test + (data.num_train or 0)):
        said = f"{data.num_empty:,} rows are broken, or have no answer"
        found.append((said, "fill them in, or leave them out: hanpuri prepare"))
    if data.ceiling is not None and facts.place(Interval(data.ceiling, data.ceiling, data.ceiling)) == "missed":
        rows = share_of(data.num_contradictory, data.num_test)
        said = (
            f"{rows} test rows ask what is answered otherwise elsewhere: the best answer to each question scores"
            f" {data.ceiling:.3f}, {facts.wanted}"
        )
        found.append((said, "decide on one answer a question, or ask for less"))
    if data.num_same > MAX_SAME * data.num_test:
        said = f"{share_of(data.num_same, data.num_test)} test rows have the question as their answer"
        found.append((said, "see that the columns are not mixed up: fields"))
    elif facts.place(facts.echo.score) == "reached":
        said = f"giving back the question as it is reaches {told(facts.echo.score)}, {facts.wanted}"
        found.append((said, "ask for more (good_enough), or measure by what copying does not reach"))
    return found
