"""The words of OpenAI's videos interface: written as its description has them, read from whoever speaks something like it.

By OpenAI's OpenAPI description of 2026-08-21, vLLM-Omni's and SGLang Diffusion's documentation and source of 2026-11.
"""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from mutoscope.domain.generation import FailureKind
from mutoscope.outgoing import Answer, Field, Form, quoted
from mutoscope.providers import openai_shape
from mutoscope.providers.answers import Asked
from mutoscope.providers.openai_shape import Problem, fields_of, picture_parts, problem, problem_of, text_of
from mutoscope.providers.port import Order

VIDEOS, NEWEST = "/videos", "/videos?limit=1"
NAMES = {"duration_s": "seconds", "results": ""}
"""What is called otherwise there, or is not there."""
NOT_DELETED = frozenset({400, 404, 405, 501})
"""How a server says that it deletes nothing, or nothing that is still being made."""
STOPPING = 409
"""How vLLM-Omni says that it is about to stop."""
NO_LIST = frozenset({404, 405})


class Video(msgspec.Struct, frozen=True, kw_only=True):
    """How a film stands. ``status`` may be a word that nobody knows; ``progress`` is 0 to 1."""

    id: str
    status: str = ""
    progress: float | None = None
    error: Problem = Problem()
    url: str | None = None
    """Where the film is, at servers that bring it to a bucket: then they do not give the bytes themselves."""


def film_form(order: Order) -> Form:
    """The form for a film; files and all, and also without a file, as OpenAI's own client sends it."""
    fields = [Field(name, text_of(value)) for name, value in fields_of(order, NAMES).items()]
    return Form((*fields, *picture_parts(order, "input_reference")))


def path_of(id: str) -> str:
    """Where a film is asked for. Raises NotAllowed."""
    return f"{VIDEOS}/{quoted(id)}"


def video_of(answer: Answer) -> Video | None:
    """A film as a server describes it; only its id has to be there. None for what is no such thing."""
    try:
        value = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not isinstance(value, Mapping):
        return None
    found = cast(Mapping[str, Any], value)
    id, status, url = found.get("id"), found.get("status"), found.get("url")
    if not isinstance(id, str) or not id:
        return None
    return Video(
        id=id,
        status=status if isinstance(status, str) else "",
        progress=_share(found.get("progress")),
        error=problem(found.get("error")),
        url=url if isinstance(url, str) and url.startswith("https://") else None,
    )


def poll_after_ms(headers: Mapping[str, str]) -> int | None:
    """When the server wants to be asked again."""
    said = headers.get("openai-poll-after-ms", "")
    return int(said[:9]) if said.isascii() and said.isdigit() else None


def kind_of(answer: Answer, asked: Asked) -> FailureKind | None:
    """What an error means. A film that a server does not know is gone; one on the way to it knows nothing of films."""
    if asked == "submit":
        return openai_shape.kind_of(answer)
    if asked == "question" and answer.status in (404, 410) and problem_of(answer).is_theirs:
        return FailureKind.EXPIRED
    return None


def _share(percent: Any) -> float | None:
    if isinstance(percent, bool) or not isinstance(percent, int | float):
        return None
    return min(max(percent / 100, 0.0), 1.0)
