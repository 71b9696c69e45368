"""Which operations run as Triton kernels on a GPU: each is tried first, and any failure ends in torch's own operation.

Triton may be missing, find no C compiler or no driver library, refuse the card, or need more registers or shared memory
than the card has. Its errors have no common base class, so a trial catches all of them. A kernel is compiled anew for
each number of maps and each type, so each of these forms is tried once per process, on a tiny tensor, forward and
backward. One failure switches off all kernels of the operation: an operation that half works is not worth its risk.
"""

from collections.abc import Callable

from zfnet.core.errors import first_line

_failures: dict[str, str] = {}  # operation -> why it runs without its kernels
_tried: dict[tuple[object, ...], bool] = {}  # operation and form -> whether its kernels ran


def runs(operation: str, form: tuple[object, ...], trial: Callable[[], object]) -> bool:
    """Return whether the kernels of an operation run here in this form.

    Parameters
    ----------
    operation : name of the operation, for the message.
    form : what the kernels are compiled for, such as maps and type; each is tried once.
    trial : runs the kernels and raises if they fail.
    """
    if operation not in _failures and (operation, *form) not in _tried:
        try:
            trial()
        except Exception as error:  # whatever it is, torch's own operation computes the same
            switch_off(operation, first_line(error))
        _tried[operation, *form] = operation not in _failures
    return operation not in _failures


def switch_off(operation: str, reason: str) -> None:
    """Let torch compute this operation in this process from now on, and say why, once."""
    if operation not in _failures:
        _failures[operation] = reason
        print(f"The {operation} runs without its GPU kernels, which is slower: {reason}", flush=True)


def used(operation: str) -> bool:
    """Return whether kernels have run for this operation in this process, and none has failed."""
    return operation not in _failures and any(name == operation for name, *_ in _tried)


def forget() -> None:
    """Forget all trials, so that the next call of an operation tries its kernels again."""
    _failures.clear()
    _tried.clear()
