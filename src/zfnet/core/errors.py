"""Errors written for people: what was found, where, what was expected, what to do next."""


class ZfnetError(Exception):
    """A mistake the user can fix. The command line prints its text without a traceback and exits with 1."""


class Stopped(Exception):  # noqa: N818 - not an error: the same command resumes the work
    """A clean interruption of work that can be resumed. The command line exits with 75."""

    exit_code = 75


class GraphFailed(Exception):  # noqa: N818 - the command line recovers from it
    """The GPU cannot be used any more by this process, but by another one that does the same without CUDA graphs."""


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error message, or the error's type if it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
