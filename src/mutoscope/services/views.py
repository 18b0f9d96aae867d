"""How items and jobs look from outside: the one place that decides which fields a viewer gets."""

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from mutoscope.domain.generation import Generation, PublicStatus, public_status, shown_progress
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import (
    DIGITAL_SOURCE_TYPE,
    PROCEDURAL_SOURCE_TYPE,
    Kind,
    Media,
    Variant,
    Visibility,
)
from mutoscope.domain.rights import Viewer, sees_withheld


def moment(at: Millis | None) -> str | None:
    """A moment as RFC 3339 in UTC, with milliseconds."""
    return (
        None
        if at is None
        else datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


class ItemView(msgspec.Struct, frozen=True, kw_only=True):
    """An item, as one viewer may see it. Fields that are withheld from the viewer are null, and ``locked`` says so."""

    id: str
    object: Literal["media"] = "media"
    kind: Kind
    url: str | None
    page: str
    urls: dict[str, str]
    """Address of each variant that the viewer may have, by name."""
    title: str
    description: str
    prompt: str | None
    negative_prompt: str | None
    category: str
    tags: list[str]
    category_selections: dict[str, list[str]] | None
    width: int
    height: int
    orientation: str
    duration_s: float | None
    fps: float | None
    codec: str | None
    has_audio: bool | None
    size_bytes: int | None
    mime_type: str | None
    sha256: str | None
    placeholder: str | None
    uploader: str
    mine: bool
    visibility: Visibility
    unlock_price: int
    is_blurred: bool
    blur_intensity: int
    locked: bool
    views: int
    unlocks: int
    likes: int
    liked: bool
    """Whether the viewer likes it."""
    model: str | None
    provider: str | None
    seed: int | None
    parameters: dict[str, Any] | None
    generation: str | None
    ai_generated: bool
    digital_source_type: str
    previews: str
    created_at: str | None
    updated_at: str | None
    trashed_at: str | None
    version: int


def item_view(
    viewer: Viewer, item: Media, uploader: str, urls: dict[str, str], base_url: str, *, liked: bool
) -> ItemView:
    """The view of an item that the viewer may know of (`rights.authorize` with variant None was passed before)."""
    whole = sees_withheld(viewer, item)
    mine = viewer.person_id is not None and viewer.person_id == item.owner_id
    own = _withheld(viewer, item)
    return ItemView(
        id=item.id,
        kind=item.facts.kind,
        url=urls.get(Variant.MASTER),
        page=f"{base_url}/m/{item.id}",
        urls=urls,
        title=shown_title(viewer, item),
        description=item.description if "description" not in own else "",
        prompt=item.prompt if whole else None,
        negative_prompt=item.negative_prompt if whole else None,
        category=item.category,
        tags=list(item.tags) if "tags" not in own else [],
        category_selections=item.category_selections if whole else None,
        width=item.facts.width,
        height=item.facts.height,
        orientation=item.facts.orientation,
        duration_s=item.facts.duration_s,
        fps=item.facts.fps if whole else None,
        codec=item.facts.codec if whole else None,
        has_audio=item.facts.has_audio if whole else None,
        size_bytes=item.facts.size_bytes if whole else None,
        mime_type=item.facts.mime_type if whole else None,
        sha256=item.facts.sha256 if whole else None,
        placeholder=item.placeholder if whole else None,
        uploader=uploader,
        mine=mine,
        visibility=item.visibility,
        unlock_price=item.unlock_price,
        is_blurred=item.is_blurred,
        blur_intensity=item.blur_intensity,
        locked=not whole,
        views=item.views,
        unlocks=item.unlocks,
        likes=item.likes,
        liked=liked,
        model=item.model if whole else None,
        provider=item.provider if whole else None,
        seed=item.seed if whole else None,
        parameters=item.parameters if whole else None,
        generation=item.generation_id if mine or viewer.is_admin else None,
        ai_generated=item.ai_generated,
        digital_source_type=PROCEDURAL_SOURCE_TYPE if item.provider == "local" else DIGITAL_SOURCE_TYPE,
        previews=item.previews,
        created_at=moment(item.created_at),
        updated_at=moment(item.updated_at),
        trashed_at=moment(item.trashed_at),
        version=item.version,
    )


def shown_title(viewer: Viewer, item: Media) -> str:
    """The title as this viewer may see it: that of a locked item may be made of the prompt."""
    if "title" not in _withheld(viewer, item):
        return item.title
    return f"Locked {'picture' if item.facts.kind is Kind.IMAGE else 'film'}"


def _withheld(viewer: Viewer, item: Media) -> frozenset[str]:
    return frozenset() if sees_withheld(viewer, item) else item.prompt_words


class FailureView(msgspec.Struct, frozen=True, kw_only=True):
    """Why a job failed: a stable ``code`` and a sentence."""

    code: str
    message: str


class GenerationView(msgspec.Struct, frozen=True, kw_only=True):
    """A job, as its owner sees it. Tokens are whole; ``estimate_s`` is the usual time of that model in seconds."""

    id: str
    object: Literal["generation"] = "generation"
    status: PublicStatus
    stage: str
    kind: Kind
    model: str
    provider: str
    prompt: str
    negative_prompt: str
    category_selections: dict[str, list[str]]
    parameters: dict[str, Any]
    seed: int
    results: int
    visibility: Visibility
    has_source: bool
    source_media: str | None
    tokens_held: int
    tokens_charged: int | None
    cancel_fee: int
    can_cancel: bool
    cancel_requested: bool
    can_retry: bool
    progress: float | None
    progress_from: Literal["provider", "estimate"] | None
    estimate_s: float
    error: FailureView | None
    url: str | None
    """The address of the first result, when there is one."""
    media: list[ItemView]
    retry_of: str | None
    created_at: str | None
    submitted_at: str | None
    finished_at: str | None
    version: int


CANCELABLE = frozenset({"queued", "submitting", "rendering", "outcome_unknown"})


def generation_view(generation: Generation, media: list[ItemView], now: Millis) -> GenerationView:
    """The view of a job, with the items that came of it."""
    progress, source = shown_progress(generation, now)
    status = public_status(generation.state)
    failure = generation.failure
    requested = generation.cancel_requested_at is not None
    return GenerationView(
        id=generation.id,
        status=status,
        stage=generation.state,
        kind=generation.pinned.kind,
        model=generation.pinned.model,
        provider=generation.pinned.provider,
        prompt=generation.prompt,
        negative_prompt=generation.negative_prompt,
        category_selections=generation.category_selections,
        parameters=generation.parameters,
        seed=generation.seed,
        results=len(generation.media_ids),
        visibility=generation.visibility,
        has_source=generation.source is not None,
        source_media=generation.source.media_id if generation.source else None,
        tokens_held=0 if generation.settled else generation.hold,
        tokens_charged=generation.captured,
        cancel_fee=generation.pinned.cancel_fee,
        cancel_requested=requested,
        can_cancel=generation.state in CANCELABLE and not requested,
        can_retry=status in ("failed", "canceled"),
        progress=progress,
        progress_from=source,
        estimate_s=round(generation.pinned.typical_ms / 1000, 1),
        error=FailureView(code=failure.kind, message=failure.message) if failure else None,
        url=media[0].url if media else None,
        media=media,
        retry_of=generation.retry_of,
        created_at=moment(generation.created_at),
        submitted_at=moment(generation.submitted_at),
        finished_at=moment(generation.finished_at),
        version=generation.version,
    )
