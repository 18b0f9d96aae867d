"""The circuit breaker: a provider that fails again and again is left alone for a while."""

import time
from collections.abc import Callable
from typing import Literal

import msgspec

State = Literal["closed", "open", "half_open"]
CIRCUIT_STATES: tuple[State, ...] = ("closed", "open", "half_open")


class BreakerNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """It opens after ``failures`` in a row within ``window_s``, and lets one request through after ``pause_s``."""

    failures: int = 5
    window_s: float = 60
    pause_s: float = 30


class Breaker:
    """One provider's. A failure is no answer, or one of 500 and above; a rate limit is none."""

    def __init__(self, numbers: BreakerNumbers, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._numbers, self._now = numbers, monotonic_s
        self._failed_at: list[float] = []
        self._opened_at: float | None = None
        self._trying = False

    @property
    def state(self) -> State:
        """As it is now."""
        if self._opened_at is None:
            return "closed"
        return "open" if self.left_s() > 0 else "half_open"

    def left_s(self) -> float:
        """For how many seconds nothing goes through."""
        if self._opened_at is None:
            return 0.0
        return max(self._opened_at + self._numbers.pause_s - self._now(), 0.0)

    def enter(self) -> bool:
        """Whether a request may go. One that may must end in `succeeded`, `failed` or `dropped`."""
        state = self.state
        if state == "open" or (state == "half_open" and self._trying):
            return False
        self._trying = state == "half_open"
        return True

    def succeeded(self) -> None:
        """It answered: all is well."""
        self._failed_at.clear()
        self._opened_at, self._trying = None, False

    def failed(self) -> None:
        """It did not answer, or said that it cannot."""
        now = self._now()
        trial, self._trying = self._trying, False
        self._failed_at = [at for at in self._failed_at if now - at < self._numbers.window_s] + [now]
        if trial or (self._opened_at is None and len(self._failed_at) >= self._numbers.failures):
            self._opened_at = now

    def dropped(self) -> None:
        """Nothing was learned: whoever asked went away, or it was never sent."""
        self._trying = False
