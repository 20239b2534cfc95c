"""
The forms of the log: whatever is said, a line stays a line, and commands no terminal.

In: records, ours and those of other libraries. Out: lines.
"""

import json
import logging

from hypothesis import given
from hypothesis import strategies as st

from hanpuri.serving.watching.logs import LOGGER, JsonLog, TextLog


def test_other_libraries_lines_have_the_same_form():
    record = logging.LogRecord("asyncio", logging.WARNING, "base.py", 1, "took\n%s", ("long",), None)
    assert TextLog().format(record).split(" ", 1)[1] == "warning took long"
    assert json.loads(JsonLog().format(record)).items() >= {"level": "warning", "message": "took\nlong"}.items()


@given(st.dictionaries(st.text(), st.text() | st.integers()))
def test_whatever_is_said_a_line_stays_one_line(about):
    record = logging.LogRecord(LOGGER, logging.INFO, "metrics.py", 1, "", (), None)
    record.about = {"status": 200, "method": "GET", "route": "/", "milliseconds": 1.0} | {
        f"said-{key}": value for key, value in about.items()
    }
    assert len(JsonLog().format(record).splitlines()) == 1
    assert json.loads(JsonLog().format(record)).keys() >= {f"said-{key}" for key in about}


@given(st.text(st.characters(categories=["Cc", "Zl", "Zp", "Lo"]), max_size=5))
def test_whatever_a_value_holds_nothing_of_it_is_a_command(value):
    record = logging.LogRecord(LOGGER, logging.INFO, "metrics.py", 1, "", (), None)
    record.about = {"status": 200, "method": "GET", "route": "/", "milliseconds": 1.0, "key": value}
    for form in (TextLog, JsonLog):
        assert form().format(record).isprintable()
