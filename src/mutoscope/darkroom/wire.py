"""What the server, the zygote and its children say to each other: JSON over a socket that keeps messages apart."""

from typing import Literal

import msgspec

from mutoscope.darkroom.jail import Bounds
from mutoscope.darkroom.port import MediaLimits
from mutoscope.domain.media import Kind, Variant
from mutoscope.domain.source import SourceFit

MESSAGE_BYTES = 16 * 1024
ANSWER_BYTES = 64 * 1024
DESCRIPTORS = 8
"""The most that one job carries: the file, the answer and what is made."""

Task = Literal["inspect", "develop", "previews", "plain", "fit", "blur"]


class Job(msgspec.Struct, frozen=True, kw_only=True, tag="job"):
    """To the zygote, with descriptors: the file, the answer, then one for each of ``outputs``."""

    number: int
    task: Task
    limits: MediaLimits
    bounds: Bounds
    outputs: tuple[Variant, ...] = ()
    side_px: int = 0
    """For ``plain``: how long the longer side may be. For ``blur``: how many pixels are left of it."""
    fit: SourceFit | None = None
    """For ``fit``: what is to become of it."""


class Kill(msgspec.Struct, frozen=True, kw_only=True, tag="kill"):
    """To the zygote: end the child of a job, if it is still there."""

    number: int


class Started(msgspec.Struct, frozen=True, kw_only=True, tag="started"):
    """From the zygote: the process that works on a job."""

    number: int
    pid: int


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """From the zygote: the child is gone and reaped. ``signal`` is 0 when it went by itself."""

    number: int
    signal: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The facts that only decoding tells."""

    kind: Kind
    mime_type: str
    codec: str
    width: int
    height: int
    duration_s: float | None = None
    fps: float | None = None
    frames: int | None = None
    has_audio: bool = False


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One output that was written."""

    variant: Variant
    mime_type: str
    width: int = 0
    height: int = 0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """From a child, through the descriptor for it. At most one of the two complaints is there."""

    unreadable: str = ""
    broken: str = ""
    found: Found | None = None
    placeholder: str = ""
    made: tuple[Made, ...] = ()
