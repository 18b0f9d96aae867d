"""Share links on the pages of what they lead to: those that stand, a form for a new one, and revoking."""

from contextlib import suppress
from typing import Any

from mutoscope.domain.errors import Conflict, Invalid, NotFound
from mutoscope.domain.sharing import PASSWORD_CHARS, stands
from mutoscope.services.sharing import Wish
from mutoscope.web.api.shares import link_view, share_url
from mutoscope.web.limits import source
from mutoscope.web.pages.forms import fields_of, signed_in, whole, wrong_fields
from mutoscope.web.security import Asked, studio_of


async def sharing_of(request: Asked, target: str, page: str, may_share: bool) -> dict[str, Any]:
    """What the template needs: the links to ``target``, which is shown at ``page``, for who may share it."""
    studio, links = studio_of(request), list[Any]()
    if may_share and request.user is not None:
        now = studio.clock.now()
        found = await studio.sharing.of_target(request.user, target)
        links = [link_view(link, now) for link in found if stands(link, now)]
    return {
        "links": links,
        "links_at": f"{page}/links",
        "link_password_chars": PASSWORD_CHARS,
        "link_wrong": {},
        "share_url": None,
    }


async def make_link(request: Asked, target: str) -> tuple[int, dict[str, Any]]:
    """Do what the form asks; returns the status, and what the template is to show of it. Raises NotFound, Forbidden, TooOften."""
    person, studio, typed = signed_in(request), studio_of(request), await fields_of(request)
    hours, password = typed.get("hours", "").strip(), typed.get("link_password", "")
    try:
        lasts = whole(hours) if hours else None
        if hours and lasts is None:
            raise Invalid("A link lasts whole hours.")
        wish = Wish(hours=lasts, password=password or None)
        _, secret = await studio.sharing.create(person, target, wish, source(request) or "")
    except Invalid as e:
        fields = wrong_fields(e)
        return e.status, {
            "link_wrong": {"password": fields["password"]} if "password" in fields else {"form": e.detail}
        }
    except Conflict as e:
        return e.status, {"link_wrong": {"form": e.detail}}
    return 200, {"share_url": share_url(studio, secret)}


async def revoke_link(request: Asked, link_id: str) -> None:
    """Revoke a link; one that is gone already is no reason to complain. Raises SignInNeeded."""
    with suppress(NotFound):
        await studio_of(request).sharing.revoke(signed_in(request), link_id)
