"""Errors that are sentences for people: what was found, where, what was expected, what to do next."""


class ZfnetError(Exception):
    """A mistake the user can mend. The command line prints its text alone, without a traceback, and exits with 1."""


class Stopped(Exception):  # noqa: N818 - not an error: the work goes on with the same command
    """Work was interrupted in good order and can be continued. The command line exits with 75."""

    exit_code = 75


def first_line(error: Exception) -> str:
    """Give what a library's error says, without the pages that may follow."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
