"""Graceful stops: on a signal, or when the job's time budget is used up.

Schedulers send SIGTERM before they kill; SIGINT is Ctrl-C. A signal only sets a flag; the training finishes its step,
saves and raises `Stopped`. A second Ctrl-C stops at once.
"""

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupt:
    """`with Interrupt(budget_minutes) as stop:` - inside, `stop.reason` is why to stop, or None."""

    def __init__(self, budget_minutes: float | None = None) -> None:
        self.budget_minutes = budget_minutes
        self.signal: str | None = None
        self._previous_handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._start = time.monotonic()
        if threading.current_thread() is threading.main_thread():  # Python allows handlers in the main thread only
            self._previous_handlers = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)

    @property
    def signal_reason(self) -> str | None:
        """The signal that was received, as part of a sentence, or None."""
        return f"{self.signal} was received" if self.signal else None

    @property
    def reason(self) -> str | None:
        """Why to stop now, as part of a sentence, or None."""
        if self.signal_reason:
            return self.signal_reason
        if self.budget_minutes is not None and time.monotonic() - self._start >= 60 * self.budget_minutes:
            return f"the time budget of {self.budget_minutes:g} minutes is used up"
        return None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number).name
        signal.signal(signal.SIGINT, signal.default_int_handler)  # the next Ctrl-C is not caught
