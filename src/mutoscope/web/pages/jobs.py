"""One job: its card by itself, cancel, retry."""

from litestar import Response, get, post
from litestar.params import FromPath

from mutoscope.domain.errors import WrongState
from mutoscope.web.limits import count_order
from mutoscope.web.pages.create import job_card
from mutoscope.web.pages.forms import go, signed_in
from mutoscope.web.pages.template import wants_fragment
from mutoscope.web.security import Asked, studio_of


@get("/jobs/{id:str}")
async def job(request: Asked, id: FromPath[str]) -> Response[str]:
    """The card that our scripts put in the place of an older one."""
    return await job_card(request, id)


@post("/jobs/{id:str}/cancel")
async def cancel(request: Asked, id: FromPath[str]) -> Response[str] | Response[None]:
    """Ask for the job to be stopped; one that has ended meanwhile is shown as it is."""
    studio, person = studio_of(request), signed_in(request)
    try:
        await studio.generate.cancel(person, id)
    except WrongState:
        return await job_card(request, id) if wants_fragment(request) else go(f"/create#{id}")
    return await job_card(request, id) if wants_fragment(request) else go(f"/create?done=canceled#{id}")


@post("/jobs/{id:str}/retry")
async def retry(request: Asked, id: FromPath[str]) -> Response[str] | Response[None]:
    """Order the same again; a second press gives the same new job."""
    studio, person = studio_of(request), signed_in(request)
    await count_order(request)
    again, _ = await studio.generate.retry(person, id, f"retry:{id}")
    return await job_card(request, again.id, 201) if wants_fragment(request) else go(f"/create?done=retried#{again.id}")
