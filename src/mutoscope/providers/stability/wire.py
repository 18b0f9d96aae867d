"""Stability AI's words: forms, answers, and what its errors mean.

By its OpenAPI description of 2024-12. Form fields go out as multipart even where there is no file.
"""

from collections.abc import Mapping

import msgspec

from mutoscope.domain.generation import FailureKind
from mutoscope.outgoing import Answer, Field, FilePart, Form
from mutoscope.providers.answers import Asked
from mutoscope.providers.port import Order

IMAGES, FILMS, BALANCE = "/v2beta/stable-image/generate", "/v2beta/image-to-video", "/v1/user/balance"
PARAMETERS = ("aspect_ratio", "style_preset", "cfg_scale", "output_format")
FILM_PARAMETERS = ("cfg_scale", "motion_bucket_id")

ERRORS: Mapping[Asked, Mapping[int, FailureKind]] = {
    "question": {404: FailureKind.EXPIRED},
    "upload": {},
    # A failed request is not charged for, and an error of its own says that it failed.
    "submit": {
        404: FailureKind.RETIRED,
        410: FailureKind.RETIRED,
        500: FailureKind.UNAVAILABLE,
        503: FailureKind.UNAVAILABLE,
    },
    "result": {},
}
"""Only where Stability AI itself speaks: what a gateway says tells nothing of a model, a job or an order."""
MODERATION = "content_moderation"


class Begun(msgspec.Struct):
    """The answer to the order of a film."""

    id: str


class Result(msgspec.Struct):
    """What stands beside a result in JSON."""

    finish_reason: str = ""


class Balance(msgspec.Struct):
    """What is left of the account."""

    credits: float


class Problem(msgspec.Struct):
    """An error."""

    name: str = ""
    errors: list[str] = []


def image_form(order: Order) -> tuple[str, Form]:
    """Path and form for an image. ``upstream`` is a service, "core", or a service and its model, "sd3/sd3.5-large"."""
    service, _, model = order.upstream.partition("/")
    fields = {"prompt": order.prompt, "seed": str(order.seed)}
    fields |= {"negative_prompt": order.negative_prompt} if order.negative_prompt else {}
    fields |= {name: _text(order.parameters[name]) for name in PARAMETERS if name in order.parameters}
    if fields.get("style_preset") == "none":
        del fields["style_preset"]
    if model:
        fields |= {"model": model, "mode": "image-to-image" if order.source else "text-to-image"}
    if order.source:
        fields["strength"] = _text(order.parameters["strength"])
        if model:
            # The picture decides.
            fields.pop("aspect_ratio", None)
    return f"{IMAGES}/{service}", _form(fields, order)


def film_form(order: Order) -> Form:
    """The form for a film. There is no prompt."""
    fields = {"seed": str(order.seed)}
    fields |= {name: _text(order.parameters[name]) for name in FILM_PARAMETERS if name in order.parameters}
    return _form(fields, order)


def _form(fields: Mapping[str, str], order: Order) -> Form:
    files = () if order.source is None else (FilePart("image", order.source.path, "image", order.source.mime_type),)
    return Form((*(Field(name, value) for name, value in fields.items()), *files))


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def id_of(answer: Answer) -> str:
    """The id of a film that was begun."""
    return answer.json(Begun).id


def credits_of(answer: Answer) -> float:
    """What is left of the account, in credits of a US cent each."""
    return answer.json(Balance).credits


def is_json(headers: Mapping[str, str]) -> bool:
    """Whether a result comes as JSON: "application/json; type=video/mp4"."""
    return headers.get("content-type", "").startswith("application/json")


def is_result(headers: Mapping[str, str]) -> bool:
    """Whether a result may be in the answer: a page of some gateway on the way is none."""
    return is_json(headers) or headers.get("content-type", "").startswith("image/")


def is_filtered(reason: str | None) -> bool:
    """Whether a result was blurred for its content."""
    return reason == "CONTENT_FILTERED"


def problem_of(answer: Answer) -> Problem:
    """An error's words; none when it has none that can be read."""
    try:
        return msgspec.json.decode(answer.body, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Problem()


def kind_of(answer: Answer, asked: Asked) -> FailureKind | None:
    """What an error means."""
    name = problem_of(answer).name
    if answer.status == 403 and name == MODERATION:
        return FailureKind.MODERATED
    return ERRORS[asked].get(answer.status) if name else None
