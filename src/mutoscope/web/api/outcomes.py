"""Jobs of unknown outcome: the administrator's list, and the answer that was found at the provider."""

import msgspec
from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody

from mutoscope.domain.errors import Invalid
from mutoscope.domain.generation import Generation
from mutoscope.services.studio import Studio
from mutoscope.services.views import moment
from mutoscope.web.api.tokens import Cursor, Limit
from mutoscope.web.security import Asked, person_of, studio_of


class OutcomeView(msgspec.Struct, frozen=True, kw_only=True):
    """What an administrator needs to look a job up at its provider. ``id`` went out as our reference, ``upstream`` is the
    provider's name for the model; the tokens go back by themselves at ``released_at``.
    """

    id: str
    owner: str
    provider: str
    model: str
    upstream: str
    stage: str
    tokens_held: int
    created_at: str | None
    released_at: str | None


class OutcomePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some jobs, newest first; ``next`` is the cursor that continues after them, null at the end."""

    items: list[OutcomeView]
    next: str | None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Either the provider's own id of the job, or that it has none."""

    provider_job: str | None = None
    failed: bool = False


async def _view(studio: Studio, job: Generation) -> OutcomeView:
    waiting = job.state == "outcome_unknown"
    return OutcomeView(
        id=job.id,
        owner=await studio.gallery.name_of(job.owner_id),
        provider=job.pinned.provider,
        model=job.pinned.model,
        upstream=job.pinned.upstream,
        stage=job.state,
        tokens_held=0 if job.settled else job.hold,
        created_at=moment(job.created_at),
        released_at=moment(job.stage_since + studio.policy.unknown_release_ms) if waiting else None,
    )


@get("/admin/outcomes")
async def list_unknown(request: Asked, cursor: Cursor = None, limit: Limit = 50) -> OutcomePage:
    """Jobs of which nobody knows whether the provider took them (administrators)."""
    studio = studio_of(request)
    page = await studio.outcomes.unknown(person_of(request), cursor, limit)
    return OutcomePage(items=[await _view(studio, job) for job in page.items], next=page.next)


@post("/admin/outcomes/{generation_id:str}", status_code=200)
async def resolve_unknown(request: Asked, generation_id: FromPath[str], data: JSONBody[Found]) -> OutcomeView:
    """Say what became of a job (administrators). With ``provider_job`` its result is fetched, and a job that failed or was
    canceled meanwhile gets it uncharged; with ``failed`` the tokens go back.
    """
    studio, person = studio_of(request), person_of(request)
    if (data.provider_job is None) is not data.failed:
        raise Invalid("Say one of two things.", {"failed": "either this, or `provider_job`"})
    if data.provider_job is None:
        job = await studio.outcomes.failed(person, generation_id)
    else:
        job = await studio.outcomes.found(person, generation_id, data.provider_job)
    return await _view(studio, job)


routes: list[BaseRouteHandler] = [list_unknown, resolve_unknown]
