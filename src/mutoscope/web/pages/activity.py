"""What a person ordered, as a table: how each job ended, how long it took, and what it cost."""

from urllib.parse import urlencode

import msgspec
from litestar import Response, get

from mutoscope.domain.errors import Invalid
from mutoscope.domain.generation import Generation, PublicStatus, State, public_status
from mutoscope.domain.ids import Millis
from mutoscope.services.views import moment
from mutoscope.web.pages.browse import Chip
from mutoscope.web.pages.create import names_of
from mutoscope.web.pages.forms import signed_in
from mutoscope.web.pages.template import page
from mutoscope.web.security import Asked, studio_of

PATH, PAGE_LINES = "/activity", 50
FILTERS: tuple[tuple[str, frozenset[PublicStatus]], ...] = (
    ("running", frozenset({"queued", "in_progress"})),
    ("done", frozenset({"succeeded"})),
    ("failed", frozenset({"failed"})),
    ("canceled", frozenset({"canceled"})),
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One job. Times are in milliseconds, and None where it has not come so far."""

    id: str
    created_at: str | None
    prompt: str
    model: str
    status: PublicStatus
    stage: State
    why: str
    waited_ms: Millis | None
    took_ms: Millis | None
    held: int
    charged: int | None
    media: tuple[str, ...]
    retry_of: str | None


def row_of(job: Generation) -> Row:
    """What the table says of a job."""
    begun, ended = job.submitted_at, job.finished_at
    return Row(
        id=job.id,
        created_at=moment(job.created_at),
        prompt=job.prompt,
        model=job.pinned.model,
        status=public_status(job.state),
        stage=job.state,
        why=job.failure.message if job.failure is not None else "",
        waited_ms=begun - job.created_at if begun is not None else None,
        took_ms=ended - begun if begun is not None and ended is not None else None,
        held=job.hold,
        charged=job.captured,
        media=job.delivered,
        retry_of=job.retry_of,
    )


def _chips(chosen: str) -> list[Chip]:
    return [
        Chip(label=name.capitalize(), href=PATH if chosen == name else f"{PATH}?{urlencode({'status': name})}", on=chosen == name)
        for name, _ in FILTERS
    ]  # fmt: skip


@get(PATH)
async def activity(request: Asked) -> Response[str]:
    """One's own jobs, newest first."""
    studio, person = studio_of(request), signed_in(request)
    chosen = request.query_params.get("status", "")
    statuses = dict(FILTERS).get(chosen)
    if chosen and statuses is None:
        raise Invalid("There is no such filter. Choose one of those that are shown.")
    states = frozenset(state for state in State if public_status(state) in statuses) if statuses else None
    found = await studio.generate.list(person, states, request.query_params.get("cursor"), PAGE_LINES)
    kept = {"status": chosen} if chosen else {}
    return await page(
        request,
        "activity.html",
        rows=[row_of(job) for job in found.items],
        chips=_chips(chosen),
        older=f"{PATH}?{urlencode(kept | {'cursor': found.next})}" if found.next else None,
        names=await names_of(studio),
    )
