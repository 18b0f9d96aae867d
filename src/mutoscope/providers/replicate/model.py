"""A catalogue entry's ``upstream``: which of Replicate's models, and how that model calls its inputs.

Each model has a schema of its own. Without more, our names are Replicate's, but for `NAMES`; what is called otherwise
stands behind a question mark, as in an address::

    bytedance/seedance-1-pro-fast?size=resolution
    black-forest-labs/flux-2-pro?size=resolution&image=input_images[]
    someone/their-model:VERSION?seed=

``[]``: the model wants a list of pictures. Nothing after the equals sign: the model has no such input.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from mutoscope.outgoing import quoted
from mutoscope.providers.port import Order

NAMES: Mapping[str, str] = {"duration_s": "duration", "results": "num_outputs"}
"""What most models call it; the rest of our names are theirs: prompt, negative_prompt, seed, image."""


class Upstream(msgspec.Struct, frozen=True):
    """One model. ``version`` is empty for official models, which have none; ``names`` are the model's, by ours."""

    model: str
    version: str
    names: Mapping[str, str]

    @property
    def path(self) -> str:
        """Where a prediction of it is asked for. Raises NotAllowed for what is no model's name."""
        if self.version:
            return "/v1/predictions"
        owner, _, name = self.model.partition("/")
        return f"/v1/models/{quoted(owner)}/{quoted(name)}/predictions"


def upstream_of(text: str) -> Upstream:
    """As the catalogue writes it."""
    identifier, _, names = text.partition("?")
    model, _, version = identifier.partition(":")
    return Upstream(model, version, {**NAMES, **dict(parse_qsl(names, keep_blank_values=True))})


def input_of(order: Order, upstream: Upstream, image: str | None) -> dict[str, Any]:
    """The model's input. ``image`` is the address of the source picture."""
    values: dict[str, Any] = {"prompt": order.prompt} if order.prompt else {}
    values |= {"negative_prompt": order.negative_prompt} if order.negative_prompt else {}
    values |= {"seed": order.seed, **order.parameters}
    values |= {"results": order.results} if order.results > 1 else {}
    values |= {"image": image} if image is not None else {}
    found: dict[str, Any] = {}
    for ours, value in values.items():
        theirs = upstream.names.get(ours, ours)
        if theirs:
            found[theirs.removesuffix("[]")] = [value] if theirs.endswith("[]") else value
    return found
