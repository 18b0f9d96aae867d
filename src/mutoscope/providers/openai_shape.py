"""What servers have in common that speak as OpenAI does: how an upstream is written, and what their errors say.

OpenAI says ``{"error": {"message", "type", "param", "code"}}``. vLLM puts the status into ``code``; servers built on
FastAPI may say ``{"detail": ...}``; some put a sentence where the object would be.
"""

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qsl

import msgspec

from mutoscope.domain.generation import FailureKind
from mutoscope.outgoing import Answer, FilePart
from mutoscope.providers.port import Order

MODELS = "/models"
K = FailureKind
MODERATION = re.compile(r"moderation|content_?policy|content_?filter|safety", re.IGNORECASE)
"""In a code or type: ``moderation_blocked``, ``content_policy_violation`` ..."""
OUT_OF_CREDIT = frozenset(
    {
        "insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded", "organization_usage_limit_exceeded", "billing_hard_limit_reached",
    }
)  # fmt: skip
"""OpenAI says these with 429, as if waiting would help."""
NO_MODEL = re.compile(r"""\bmodel:? [`'"][^`'"]+[`'"] (does not exist|was not found|not found)""", re.IGNORECASE)
"""A name in quotes, as OpenAI and vLLM write it: a model that is marked as retired for other words stays so."""
NO_ROUTE = "Not Found"
"""What FastAPI says of a path that it does not have: the base address is wrong, no job and no model is gone."""


class Problem(msgspec.Struct, frozen=True):
    """An error, as far as its words could be read. ``code`` and ``type`` are empty where there are none."""

    message: str = ""
    code: str = ""
    type: str = ""

    @property
    def moderated(self) -> bool:
        """Whether it was refused for its content."""
        return bool(MODERATION.search(self.code) or MODERATION.search(self.type))

    @property
    def said(self) -> str:
        """For the administrator."""
        return ": ".join(part for part in (self.code or self.type, self.message) if part)

    @property
    def is_theirs(self) -> bool:
        """Whether the server itself said it, knowing the path, and not something on the way to it."""
        return bool(self.message) and self.message != NO_ROUTE


def fields_of(order: Order, names: Mapping[str, str]) -> dict[str, Any]:
    """What goes out for an order, but its picture. ``names`` are theirs by ours; an empty one: they have no such field.

    A catalogue entry's ``upstream`` says behind a question mark what its model calls otherwise: "sora-2?seed=".
    """
    model, _, other = order.upstream.partition("?")
    names = {**names, **dict(parse_qsl(other, keep_blank_values=True))}
    values: dict[str, Any] = {"model": model, "prompt": order.prompt, "seed": order.seed, **order.parameters}
    values |= {"negative_prompt": order.negative_prompt} if order.negative_prompt else {}
    values |= {"results": order.results} if order.results > 1 else {}
    return {names.get(name, name): value for name, value in values.items() if names.get(name, name)}


def text_of(value: Any) -> str:
    """A value in a form, as OpenAI's client writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def picture_parts(order: Order, name: str) -> tuple[FilePart, ...]:
    """The source picture in a form, if there is one."""
    if (source := order.source) is None:
        return ()
    # SGLang takes the kind of the picture from its name.
    filename = "image." + source.mime_type.removeprefix("image/")
    return (FilePart(name, source.path, filename, source.mime_type),)


def models_of(answer: Answer) -> list[str]:
    """The names of a server's models, as far as they can be read."""
    try:
        listed = msgspec.json.decode(answer.body, type=dict[str, Any]).get("data")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
    entries = cast(list[Any], listed) if isinstance(listed, list) else []
    named = [cast(Mapping[str, Any], entry).get("id") for entry in entries if isinstance(entry, Mapping)]
    return [name for name in named if isinstance(name, str)]


def problem(value: Any) -> Problem:
    """What stands in an ``error``: an object, a sentence, a list, or nothing."""
    if isinstance(value, Mapping):
        found = cast(Mapping[str, Any], value)
        return Problem(*(_text(found.get(key)) for key in ("message", "code", "type")))
    return Problem(message=_text(value))


def problem_of(answer: Answer) -> Problem:
    """The error in an answer; an empty one where none can be read."""
    try:
        value = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Problem()
    if not isinstance(value, Mapping):
        return Problem()
    found = cast(Mapping[str, Any], value)
    return problem(found.get("error") or found.get("detail") or (found if "message" in found else None))


def kind_of(answer: Answer) -> FailureKind | None:
    """What an error to an order means, where its words say more than its status."""
    found = problem_of(answer)
    if 400 <= answer.status < 500 and found.moderated:
        return K.MODERATED
    if found.code in OUT_OF_CREDIT or found.type in OUT_OF_CREDIT:
        return K.OUT_OF_CREDIT
    if answer.status in (400, 404, 410) and (found.code == "model_not_found" or NO_MODEL.search(found.message)):
        return K.RETIRED
    return None


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
