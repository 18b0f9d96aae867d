"""fal's words: what an order says, how a request stands, and the several shapes in which models tell their results."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

import msgspec

from mutoscope.domain.generation import Output
from mutoscope.outgoing import quoted
from mutoscope.providers.port import Order

NAMES: Mapping[str, str] = {
    "image": "image_url",
    "results": "num_images",
    "duration_s": "duration",
    "size": "image_size",
}
"""What most of fal's models call our fields; all others have the same name there and here."""
SEEDS = 2**31
"""Some makers behind fal take no seed beyond this, so a larger one is counted on from 0. The same seed stays the same."""
NAMESPACES = frozenset({"workflows", "comfy"})
COMPLETED = "COMPLETED"
_SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")


class Begun(msgspec.Struct):
    """The answer to an order."""

    request_id: str
    status_url: str = ""
    response_url: str = ""
    cancel_url: str = ""


class Standing(msgspec.Struct):
    """How a request stands."""

    status: str
    error: Any = None
    error_type: str | None = None


class Stopped(msgspec.Struct):
    """The answer to a cancel."""

    status: str = ""


class Called(msgspec.Struct):
    """What a webhook says that matters here."""

    request_id: str


class Results(msgspec.Struct, frozen=True):
    """What was made. ``withheld``: how many results were blacked out for their content."""

    outputs: tuple[Output, ...]
    withheld: int


def path_of(upstream: str) -> str:
    """The path of a model: "fal-ai/flux/dev", without what ``upstream`` says of its fields. Raises NotAllowed."""
    return "/" + "/".join(quoted(part) for part in upstream.partition("?")[0].split("/"))


def order_path(order: Order) -> str:
    """Where an order goes. Raises NotAllowed."""
    webhook = "?" + urlencode({"fal_webhook": order.webhook_url}) if order.webhook_url else ""
    return path_of(order.upstream) + webhook


def request_path(upstream: str, id: str, what: str) -> str:
    """Where a request is known: below its app, which is a model without the last parts of its path. Raises NotAllowed."""
    parts = path_of(upstream).split("/")
    app = "/".join(parts[: 4 if parts[1] in NAMESPACES else 3])
    return f"{app}/requests/{quoted(id)}" + {"status_url": "/status", "cancel_url": "/cancel"}.get(what, "")


def body_of(order: Order, picture: str | None) -> dict[str, Any]:
    """An order's fields; ``picture`` is an address.

    ``upstream`` may end in fields that a model calls otherwise, or with an empty name does not have:
    "fal-ai/kling-video/v2.6/pro/image-to-video?image=start_image_url&seed=". An unknown field is refused by many models.
    """
    ours: dict[str, Any] = {**order.parameters, "seed": order.seed % SEEDS}
    if order.prompt:
        ours["prompt"] = order.prompt
    if order.negative_prompt:
        ours["negative_prompt"] = order.negative_prompt
    if order.results > 1:
        ours["results"] = order.results
    if picture is not None:
        ours["image"] = picture
    names = {**NAMES, **dict(parse_qsl(order.upstream.partition("?")[2], keep_blank_values=True))}
    named = ((names.get(ours_, ours_), value) for ours_, value in ours.items())
    return {name: _value(name, value) for name, value in named if name}


def _value(name: str, value: Any) -> Any:
    if name.endswith("_urls"):
        return [value]
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    return {"width": int(found[1]), "height": int(found[2])} if found else value


def results_of(content: Mapping[str, Any]) -> Results:
    """The films or else the pictures of a result: one or a list, as files or as bare addresses."""
    # A thumbnail beside a film is not the film.
    files = next(
        (found for key in ("video", "videos", "images", "image") if (found := list(_files(content.get(key))))), []
    )
    flags = content.get("has_nsfw_concepts")
    flagged = [flag is True for flag in cast(list[Any], flags)] if isinstance(flags, list) else []
    dark = {place for place, flag in enumerate(flagged[: len(files)]) if flag}
    return Results(tuple(output for place, output in enumerate(files) if place not in dark), len(dark))


def _files(value: Any) -> Iterator[Output]:
    for one in cast(list[Any], value if isinstance(value, list) else [value]):
        file = cast(Mapping[str, Any], one if isinstance(one, dict) else {"url": one})
        url, media_type = file.get("url"), file.get("content_type")
        if isinstance(url, str) and url:
            yield Output(url=url, media_type=media_type if isinstance(media_type, str) else None)
