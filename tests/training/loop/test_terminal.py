import io
import logging

import pytest
from rich.console import Console

from hanpuri.errors import ModelError
from hanpuri.training.loop.terminal import show_progress

LINE = {
    "step": 2,
    "epoch": 0.5,
    "loss": 1.2,
    "learning_rate": 2e-4,
    "grad_norm": 0.5,
    "tokens": 9,
    "tokens_per_second": 5120.3,
}
LOOK = {"step": 2, "epoch": 0.5, "eval_loss": 1.1, "eval_char_accuracy": 0.83}


def shown(*, terminal, width=100):
    console = Console(file=io.StringIO(), force_terminal=terminal, color_system=None, width=width)
    logger = logging.getLogger("hanpuri.training")
    before = logger.level, logger.propagate, [*logger.handlers]
    with show_progress(console) as report:
        for step in (1, 2):
            report(step, 6, {})
        report(2, 6, LINE)
        report(2, 6, LOOK)
        report(2, 6, {"step": 2, "event": "best", "message": "said by the logger"})
        logger.warning("step 2: found [bold] in a name")
    assert (logger.level, logger.propagate, logger.handlers) == before
    return console.file.getvalue()


def test_a_terminal_shows_a_bar_with_the_last_figures():
    text = shown(terminal=True)
    assert "2/6" in text
    assert "loss 1.2000  lr 2.0e-04  5,120 tok/s" in text
    assert "loss 1.1000  char_accuracy 0.8300" in text
    assert "found [bold] in a name" in text


def test_a_file_gets_a_line_for_each_log():
    assert shown(terminal=False).splitlines() == [
        "step 2/6: loss 1.2000  lr 2.0e-04  5,120 tok/s",
        "step 2/6: loss 1.1000  char_accuracy 0.8300",
        "warning: step 2: found [bold] in a name",
    ]


def test_a_narrow_terminal_breaks_lines_between_figures():
    assert "step 2: loss 1.1000\n  char_accuracy 0.8300\n" in shown(terminal=True, width=40)


def test_until_the_first_step_a_terminal_is_told_what_is_done_and_a_refusal_leaves_no_bar():
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=100)
    with pytest.raises(ModelError), show_progress(console):
        raise ModelError("no", "yes")
    text = console.file.getvalue()
    assert "looking at the data and the model" in text
    assert text.endswith("\x1b[1A\x1b[2K")  # up, and the line is empty
