"""The words of OpenAI's videos interface: written as its description has them, read from whoever speaks something like it.

By OpenAI's OpenAPI description of 2026-08-21, vLLM-Omni's and SGLang Diffusion's documentation and source of 2026-11.
"""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from mutoscope.domain.generation import FailureKind
from mutoscope.outgoing import Answer, Field, FilePart, Form, quoted
from mutoscope.providers import openai_errors
from mutoscope.providers.answers import Asked
from mutoscope.providers.openai_errors import Problem, problem, problem_of
from mutoscope.providers.port import Order

VIDEOS, NEWEST, MODELS = "/videos", "/videos?limit=1", "/models"
PLAIN = "plain:"
"""Before a model's upstream name: its server refuses a seed and a negative prompt, which OpenAI's description has not."""
NAMES = {"duration_s": "seconds"}
"""Parameters that have another name there."""
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
    plain = order.upstream.startswith(PLAIN)
    fields = {"prompt": order.prompt, "model": order.upstream.removeprefix(PLAIN)}
    fields |= {NAMES.get(name, name): _text(value) for name, value in order.parameters.items()}
    if not plain:
        fields["seed"] = str(order.seed)
        fields |= {"negative_prompt": order.negative_prompt} if order.negative_prompt else {}
    files: tuple[FilePart, ...] = ()
    if (source := order.source) is not None:
        # SGLang takes the kind of the picture from its name.
        filename = "image." + source.mime_type.removeprefix("image/")
        files = (FilePart("input_reference", source.path, filename, source.mime_type),)
    return Form((*(Field(name, value) for name, value in fields.items()), *files))


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


def models_of(answer: Answer) -> list[str]:
    """The names of a server's models, as far as they can be read."""
    try:
        listed = msgspec.json.decode(answer.body, type=dict[str, Any]).get("data")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
    entries = cast(list[Any], listed) if isinstance(listed, list) else []
    named = [cast(Mapping[str, Any], entry).get("id") for entry in entries if isinstance(entry, Mapping)]
    return [name for name in named if isinstance(name, str)]


def poll_after_ms(headers: Mapping[str, str]) -> int | None:
    """When the server wants to be asked again."""
    said = headers.get("openai-poll-after-ms", "")
    return int(said[:9]) if said.isascii() and said.isdigit() else None


def kind_of(answer: Answer, asked: Asked) -> FailureKind | None:
    """What an error means. A film that a server does not know is gone; one on the way to it knows nothing of films."""
    if asked == "submit":
        return openai_errors.kind_of(answer)
    if asked == "question" and answer.status in (404, 410) and problem_of(answer).is_theirs:
        return FailureKind.EXPIRED
    return None


def _share(percent: Any) -> float | None:
    if isinstance(percent, bool) or not isinstance(percent, int | float):
        return None
    return min(max(percent / 100, 0.0), 1.0)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
