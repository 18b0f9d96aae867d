"""From a template and what it shows to an answer: one frame around every page."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Response

import mutoscope.web.pages.words as words
from mutoscope.domain.ledger import Balance
from mutoscope.web.pages.assets import address
from mutoscope.web.security import Asked, studio_of

ENV = Environment(
    loader=PackageLoader("mutoscope.web", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
GLOBALS: dict[str, Any] = {"words": words, "asset": address}
ENV.globals.update(GLOBALS)


class Blanks(dict[str, Any]):
    """What was typed, or what is wrong, by field: blank where there is nothing."""

    def __missing__(self, name: str) -> str:
        return ""


FRAGMENT = "x-fragment"
"""Sent by our scripts, which want a page's inner part alone."""

HEADERS: Mapping[str, str] = {"Cache-Control": "private, no-store", "Vary": "X-Fragment, Cookie"}


def wants_fragment(request: Asked) -> bool:
    """Whether one of our scripts asks."""
    return FRAGMENT in request.headers


async def note_cursor(request: Asked) -> None:
    """Where the stream of events stood before anything was read: the page's scripts go on from there, without a gap."""
    request.state["cursor"] = await studio_of(request).events.head()


def html(template: str, status: int = 200, **context: Any) -> Response[str]:
    """An answer without the frame's own facts."""
    blank = {
        name: Blanks(value) for name, value in context.items() if name in ("typed", "wrong", "link_wrong", "chosen")
    }
    text = ENV.get_template(template).render(context | blank)
    return Response(text, status_code=status, media_type=MediaType.HTML, headers=dict(HEADERS))


def frame(request: Asked, balance: Balance | None) -> dict[str, Any]:
    """What the frame of every page shows."""
    studio = studio_of(request)
    return {
        "person": request.user,
        "cursor": request.state.get("cursor"),
        "balance": balance,
        "path": request.scope["path"],
        "done": words.DONE.get(request.query_params.get("done", "")),
        "now": studio.clock.now(),
        "base_url": studio.base_url,
        "registration_open": studio.policy.registration_open,
        "invites_open": studio.policy.invites_open,
        "mail_is_sent": studio.mail is not None,
    }


async def page(request: Asked, template: str, status: int = 200, **context: Any) -> Response[str]:
    """A whole page."""
    balance = await studio_of(request).tokens.balance(request.user) if request.user else None
    return html(template, status, **frame(request, balance), **context)
