"""What a share link opens: the item for whoever has the link, after its password where it has one.

The address is a secret: it goes into no referrer, no index and no log. Whether somebody is signed in changes nothing of what
is shown.
"""

from typing import Any

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath

from mutoscope.domain.errors import WrongCredentials
from mutoscope.domain.sharing import PROOF_MS
from mutoscope.services.sharing import PasswordNeeded, Shown
from mutoscope.services.studio import Studio
from mutoscope.web.limits import source
from mutoscope.web.pages.forms import fields_of, go
from mutoscope.web.pages.item import KINDS
from mutoscope.web.pages.template import page
from mutoscope.web.render import render_item
from mutoscope.web.security import Asked, cookie_value, studio_of

COOKIE = "mutoscope_shared"
UNSEEN = {"X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "no-referrer"}
# Not no-referrer: with that, browsers send `Origin: null` with the form. This names the studio, and not the address.
ASKING = UNSEEN | {"Referrer-Policy": "strict-origin"}


@get("/s/{secret:str}")
async def shared(request: Asked, secret: FromPath[str]) -> Response[str]:
    """The item that the link opens, or the question for its password."""
    studio = studio_of(request)
    proof = cookie_value(request.headers.get("cookie", ""), _cookie_name(studio))
    try:
        shown = await studio.sharing.open(secret, proof)
    except PasswordNeeded:
        return await _ask(request, secret)
    return await _show(request, shown)


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


async def _show(request: Asked, shown: Shown) -> Response[str]:
    studio = studio_of(request)
    view = await render_item(studio, shown.viewer, shown.item)
    # Under whichever of its names the studio was asked for, what it sends itself comes from there.
    files = {name: url.removeprefix(studio.base_url) for name, url in view.urls.items()}
    answer = await page(
        request,
        "shared.html",
        item=view,
        files=files,
        kind=KINDS[view.kind],
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
