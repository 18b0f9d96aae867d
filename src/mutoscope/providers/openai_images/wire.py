"""The words of OpenAI's images interface.

By its OpenAPI description of 2026-08-21 and its client 3.54.0. GPT image models always answer with base64.
"""

from collections.abc import Mapping

from mutoscope.outgoing import Body, Field, Form, Json
from mutoscope.providers.openai_shape import fields_of, picture_parts, text_of
from mutoscope.providers.port import Order

IMAGES, EDITS = "/images/generations", "/images/edits"
PICTURES = "data[].b64_json"
NAMES = {"results": "n", "seed": "", "negative_prompt": ""}
"""What is called otherwise there, or is not there."""


def request_of(order: Order) -> tuple[str, Body]:
    """Path and body: JSON, or a form where there is a picture to begin with."""
    fields = fields_of(order, NAMES)
    if order.source is None:
        return IMAGES, Json(fields)
    texts = [Field(name, text_of(value)) for name, value in fields.items()]
    return EDITS, Form((*texts, *picture_parts(order, "image")))


def is_json(headers: Mapping[str, str]) -> bool:
    """Whether pictures may be in the answer: a page of some gateway on the way has none."""
    return headers.get("content-type", "").startswith("application/json")
