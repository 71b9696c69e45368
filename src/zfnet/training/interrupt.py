"""Stopping in good order: at a signal, or when the time given to a job is used up.

Schedulers send SIGTERM before they kill; SIGINT is Ctrl-C. A signal only raises a flag, the training finishes its
step, saves and raises `Stopped`. A second Ctrl-C stops at once.
"""

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupt:
    """`with Interrupt(budget_minutes) as stop:` - then `stop.reason` tells why to stop, or is None."""

    def __init__(self, budget_minutes: float | None = None) -> None:
        self.budget_minutes = budget_minutes
        self.signal: str | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._start = time.monotonic()
        if threading.current_thread() is threading.main_thread():  # Python delivers signals nowhere else
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def called(self) -> str | None:
        """The signal that came, as part of a sentence."""
        return f"{self.signal} was received" if self.signal else None

    @property
    def reason(self) -> str | None:
        """Why the work must stop now, as part of a sentence."""
        if self.called:
            return self.called
        if self.budget_minutes is not None and time.monotonic() - self._start >= 60 * self.budget_minutes:
            return f"the time budget of {self.budget_minutes:g} minutes is used up"
        return None

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number).name
        signal.signal(signal.SIGINT, signal.default_int_handler)
