"""The frame that other sites may put around an item: a player or a picture, and nothing that could be pressed or read.

It knows nobody: a cookie or token that comes along changes nothing.
"""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from mutoscope.domain.errors import NotFound, SignInNeeded
from mutoscope.domain.rights import STRANGER
from mutoscope.services.cards import Card, card_of
from mutoscope.web.pages.template import html
from mutoscope.web.security import Asked, studio_of


@get("/embed/{id:str}", include_in_schema=False)
async def embed(request: Asked, id: FromPath[str]) -> Response[str]:
    """The frame. The only answer of the studio that other sites may frame."""
    studio = studio_of(request)
    try:
        found = await studio.gallery.get(STRANGER, id)
    except (NotFound, SignInNeeded) as refused:
        return _answer(request, refused.status, None, [])
    card = card_of(found, await studio.gallery.name_of(found.owner_id), studio.base_url)
    return _answer(request, 200, card, [variant.value for variant in found.files])


def _answer(request: Asked, status: int, card: Card | None, files: list[str]) -> Response[str]:
    answer = html("embed.html", status, card=card, files=files)
    answer.headers.update(_headers(request))
    return answer


def _headers(request: Asked) -> dict[str, Any]:
    return {
        "Content-Security-Policy": request.app.state.embed_policy,
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept-Encoding",
    }
