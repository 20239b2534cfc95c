"""
The command line: one verb a command, each of which parses, calls the road and prints.

In:  `hanpuri restore "확잠실읾 념뭄 잙앙욤"`.   Out: 화장실이 너무 작아요

Exit codes: 0 done; 1 a fault of hanpuri itself; 2 a fault in what was given, said in one line with the mend;
130 stopped by ctrl-C. Results go to standard output, everything else to standard error.
"""

import sys

from hanpuri.errors import HanpuriError
from hanpuri.training.processes import is_first, wait_to_be_ended

__all__ = ["main"]

EXIT_FAULT_GIVEN, EXIT_STOPPED = 2, 130


def main() -> None:
    """Run the command line and turn what was raised on purpose into one line and an exit code."""
    import typer

    from hanpuri.cli.app import app

    try:
        # Not standalone: Typer would draw a box around each fault. Ctrl-C it turns into the exit code, without a word.
        code = app(standalone_mode=False, prog_name="hanpuri")
        if code == EXIT_STOPPED:
            raise KeyboardInterrupt
        sys.exit(code)
    except HanpuriError as error:
        _let_first_speak()
        _fail(str(error), EXIT_FAULT_GIVEN)
    except (KeyboardInterrupt, typer.Abort):
        if not is_first():
            sys.exit(EXIT_STOPPED)
        _fail("stopped", EXIT_STOPPED)
    except Exception as error:
        _let_first_speak(error)
        _fail_of_usage(error)


def _let_first_speak(error: Exception | None = None) -> None:
    """Of several processes, let the first one say what all have found; and let none speak of a loss of another."""
    if not is_first() or isinstance(error, RuntimeError):  # as which torch tells that another one is gone
        wait_to_be_ended()


def _fail_of_usage(error: Exception) -> None:
    """Say a wrong option in one line; what is no fault of usage is raised again."""
    context = getattr(error, "ctx", None)
    if context is None or not hasattr(error, "format_message"):
        raise error
    if type(error).__name__ == "NoArgsIsHelpError":
        print(context.get_help(), file=sys.stderr)
        sys.exit(EXIT_FAULT_GIVEN)
    message = " ".join(error.format_message().split()).rstrip(".")
    _fail(f"{message}; see {context.command_path} --help", EXIT_FAULT_GIVEN)


def _fail(message: str, code: int) -> None:
    print(f"hanpuri: {message}", file=sys.stderr)
    sys.exit(code)
