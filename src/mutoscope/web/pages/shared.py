"""What a share link opens: the item or collection for whoever has the link, after its password where it has one.

The address is a secret: it goes into no referrer, no index and no log. Whether somebody is signed in changes nothing of what
is shown.
"""

from typing import Any

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath

from mutoscope.domain.errors import WrongCredentials
from mutoscope.domain.sharing import PROOF_MS
from mutoscope.services.sharing import PasswordNeeded, SharedCollection, SharedItem
from mutoscope.services.studio import Studio
from mutoscope.services.views import ItemView
from mutoscope.web.limits import source
from mutoscope.web.pages.forms import fields_of, go
from mutoscope.web.pages.item import KINDS
from mutoscope.web.pages.template import page
from mutoscope.web.render import render_item, render_items
from mutoscope.web.security import Asked, cookie_value, studio_of

COOKIE = "mutoscope_shared"
UNSEEN = {"X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "no-referrer"}
# Not no-referrer: with that, browsers send `Origin: null` with the form. This names the studio, and not the address.
ASKING = UNSEEN | {"Referrer-Policy": "strict-origin"}


@get("/s/{secret:str}")
async def shared(request: Asked, secret: FromPath[str]) -> Response[str]:
    """The item or collection that the link opens, or the question for its password."""
    cursor = request.query_params.get("cursor")
    try:
        shown = await studio_of(request).sharing.open(secret, _proof(request), cursor)
    except PasswordNeeded:
        return await _ask(request, secret)
    if isinstance(shown, SharedItem):
        return await _show(request, shown)
    return await _show_collection(request, shown, secret)


@get("/s/{secret:str}/{id:str}")
async def shared_in_collection(request: Asked, secret: FromPath[str], id: FromPath[str]) -> Response[str]:
    """An item of the collection that the link opens."""
    try:
        shown = await studio_of(request).sharing.open_in(secret, _proof(request), id)
    except PasswordNeeded:
        return await _ask(request, secret)
    return await _show(request, shown, back=f"/s/{secret}")


@post("/s/{secret:str}")
async def prove(request: Asked, secret: FromPath[str]) -> Response[str] | Response[None]:
    """Type the password; the browser keeps a proof of it for a while."""
    studio, typed = studio_of(request), await fields_of(request)
    try:
        proof = await studio.sharing.prove(secret, typed.get("password", ""), source(request))
    except WrongCredentials as e:
        return await _ask(request, secret, e.status, e.detail)
    answer: Response[None] = go(f"/s/{secret}")
    answer.headers.update(ASKING)
    if proof is not None:
        answer.cookies.append(_proof_cookie(studio, secret, proof))
    return answer


def _proof(request: Asked) -> str:
    return cookie_value(request.headers.get("cookie", ""), _cookie_name(studio_of(request)))


def _here(studio: Studio, view: ItemView) -> dict[str, str]:
    """The addresses of an item's files: what the studio sends itself comes from whichever of its names was asked for."""
    return {name: url.removeprefix(studio.base_url) for name, url in view.urls.items()}


async def _show(request: Asked, shown: SharedItem, back: str | None = None) -> Response[str]:
    studio = studio_of(request)
    view = await render_item(studio, shown.viewer, shown.item)
    answer = await page(
        request,
        "shared.html",
        item=view,
        files=_here(studio, view),
        back=back,
        kind=KINDS[view.kind],
        has_card=shown.link.password_hash is None,
    )
    answer.headers.update(UNSEEN)
    return answer


async def _show_collection(request: Asked, shown: SharedCollection, secret: str) -> Response[str]:
    studio, cover = studio_of(request), shown.glance.cover
    views = await render_items(studio, shown.viewer, shown.items.items)
    answer = await page(
        request,
        "shared-collection.html",
        collection=shown.glance.collection,
        count=shown.glance.count,
        owner=await studio.gallery.name_of(shown.glance.collection.owner_id),
        cover=None if cover is None else await render_item(studio, shown.viewer, cover),
        items=[(view, _here(studio, view)) for view in views],
        next=shown.items.next,
        here=f"/s/{secret}",
        has_card=shown.link.password_hash is None,
    )
    answer.headers.update(UNSEEN)
    return answer


async def _ask(request: Asked, secret: str, status: int = 200, wrong: str = "") -> Response[str]:
    answer = await page(request, "shared-password.html", status, secret=secret, wrong={"password": wrong})
    answer.headers.update(ASKING)
    return answer


def _cookie_name(studio: Studio) -> str:
    """The cookie's name; the prefix makes browsers insist on HTTPS (RFC 6265bis)."""
    return f"__Secure-{COOKIE}" if studio.base_url.startswith("https:") else COOKIE


def _proof_cookie(studio: Studio, secret: str, proof: str) -> Cookie:
    options: dict[str, Any] = {"httponly": True, "samesite": "lax", "secure": studio.base_url.startswith("https:")}
    return Cookie(key=_cookie_name(studio), value=proof, path=f"/s/{secret}", max_age=PROOF_MS // 1000, **options)
