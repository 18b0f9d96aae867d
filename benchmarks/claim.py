"""What a benchmark answers, and how it is printed."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

UNDER, AT_LEAST = "under", "at least"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One figure beside its baseline. ``aim`` is compared with ``ratio`` when ``of_ratio``, else with ``value``."""

    what: str
    value: float
    unit: str
    baseline: str = ""
    baseline_value: float | None = None
    aim: float | None = None
    direction: str = UNDER
    of_ratio: bool = False

    @property
    def ratio(self) -> float | None:
        """Value by baseline."""
        return self.value / self.baseline_value if self.baseline_value else None

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without an aim."""
        measured = self.ratio if self.of_ratio else self.value
        if self.aim is None or measured is None:
            return None
        return measured < self.aim if self.direction == UNDER else measured >= self.aim

    def line(self) -> str:
        """One line for a person."""
        text = f"{self.what}: {_figure(self.value)} {self.unit}"
        if self.baseline_value is not None:
            text += f" | {self.baseline}: {_figure(self.baseline_value)} {self.unit} | ratio {self.ratio:.3g}"
        if self.aim is not None:
            unit = "ratio" if self.of_ratio else self.unit
            text += f" | aim: {self.direction} {self.aim:,.15g} {unit}: {'met' if self.met else 'MISSED'}"
        return text


def _figure(value: float) -> str:
    """Three digits that count, and never an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)
