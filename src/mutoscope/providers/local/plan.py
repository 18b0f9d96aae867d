"""What is to be rendered, checked and in numbers: made from an order, written beside the results, read by the child."""

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from mutoscope.domain.generation import FailureKind
from mutoscope.providers.port import Order, ProviderError

FPS = 24
SIDE_PX = (16, 1920)
DURATION_S = (1, 10)
RESULTS_MAX = 4

Upstream = Literal["still", "drift", "dream"]
Motion = Literal["push-in", "pull-out", "pan-left", "pan-right", "tilt-up", "tilt-down", "orbit"]
MOTIONS: tuple[Motion, ...] = ("push-in", "pull-out", "pan-left", "pan-right", "tilt-up", "tilt-down", "orbit")


SOURCE_PX = 3240
"""How long the source's longer side may be: the closest view of the largest film."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One job. Sizes in pixels, ``strength`` 0 to 1."""

    upstream: Upstream
    prompt: str
    seed: int
    results: int
    width: int
    height: int
    duration_s: int = 1
    motion: Motion = "push-in"
    strength: float = 0.5

    @property
    def frames_each(self) -> int:
        """Frames of one result."""
        return 1 if self.upstream == "still" else self.duration_s * FPS

    @property
    def frames(self) -> int:
        """Frames of all results together."""
        return self.frames_each * self.results

    @property
    def moves(self) -> bool:
        """Whether it starts from a picture."""
        return self.upstream == "drift"

    @property
    def extension(self) -> str:
        """Of the results' file names."""
        return "png" if self.upstream == "still" else "mp4"

    @property
    def media_type(self) -> str:
        """Of the results."""
        return "image/png" if self.upstream == "still" else "video/mp4"


def plan_for(order: Order) -> Plan:
    """The plan of an order. Raises ProviderError: retired for an unknown model, invalid for what cannot be drawn."""
    if order.upstream not in ("still", "drift", "dream"):
        raise ProviderError(FailureKind.RETIRED, "This model is not there any more. Choose another.", order.upstream)
    if order.upstream == "drift" and order.source is None:
        raise ProviderError(FailureKind.INVALID, "Local drift needs a picture to start from. Choose one.")
    width, height = _size(order.parameters)
    return Plan(
        upstream=order.upstream,
        prompt=order.prompt,
        seed=order.seed,
        results=_whole("number of results", order.results, 1, RESULTS_MAX),
        width=width,
        height=height,
        duration_s=_whole("duration", order.parameters.get("duration_s", 1), *DURATION_S),
        motion=_motion(order.parameters.get("motion", "push-in")),
        strength=_whole("strength of motion", order.parameters.get("motion_strength", 50), 1, 100) / 100,
    )


def _size(parameters: Mapping[str, Any]) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{2,4})x(\d{2,4})", str(parameters.get("size", "")))
    if match is None:
        raise ProviderError(FailureKind.INVALID, "The size is written like 1280x720.")
    width, height = (_whole("width and height", int(side), *SIDE_PX) for side in match.groups())
    if width % 2 or height % 2:
        raise ProviderError(FailureKind.INVALID, "Width and height must be even.")
    return width, height


def _whole(name: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ProviderError(FailureKind.INVALID, f"The {name} must be from {low} to {high}.")
    return value


def _motion(value: Any) -> Motion:
    if value not in MOTIONS:
        raise ProviderError(FailureKind.INVALID, "There is no such camera move. Choose one of: " + ", ".join(MOTIONS))
    return value
