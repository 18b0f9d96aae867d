"""The bytes of items: rights first, then ranges, straight from the store to the connection."""

import hashlib
import re
import unicodedata
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from urllib.parse import quote

import structlog
from litestar import route
from litestar.params import FromPath
from litestar.types import ASGIApp
from msgspec import structs

from mutoscope.blobs.port import BlobMissing
from mutoscope.domain.errors import NotFound
from mutoscope.domain.ids import is_id
from mutoscope.domain.media import BLURRED, EXTENSIONS, THUMB_WIDTHS_PX, Media, StoredFile, Variant
from mutoscope.domain.rights import STRANGER, Viewer, allowed
from mutoscope.services.addresses import written
from mutoscope.services.links import opens_alone
from mutoscope.services.studio import Studio
from mutoscope.services.views import shown_title
from mutoscope.web.ranges import Unsatisfiable, byte_range, etag_matches
from mutoscope.web.security import Asked, studio_of, viewer_of
from mutoscope.web.streaming import ByteStream

log = structlog.get_logger("mutoscope.web")

CSP = "sandbox; default-src 'none'; frame-ancestors 'none'"
ALONE = {"Vary": "Cookie, Authorization"}
"""On answers that depend on who asks: they are for that one."""
NAME_CHARS = 60
FOR_CARDS = BLURRED | THUMB_WIDTHS_PX.keys() | {Variant.POSTER}
"""Pictures that cards and oEmbed name: of what anybody may see, other sites may show them. Films play in the frame."""


@route("/media/{media_id:str}/{variant:str}", http_method=["GET", "HEAD"], include_in_schema=False)
async def deliver(request: Asked, media_id: FromPath[str], variant: FromPath[str]) -> ASGIApp:
    """One file of an item, for whoever has the right to it, or comes by a signed address that opens it for them."""
    studio, asked = studio_of(request), _variant(variant)
    viewer, item, file = await studio.gallery.file(
        viewer_of(request), media_id, asked, partial(_admit, request, studio, asked)
    )
    shared = _is_shared(request, studio, viewer, item, asked)
    if shared:
        # Others get this answer too: nothing in it may depend on who happened to be the first to ask.
        viewer = Viewer(signed=viewer.signed)
    etag = etag_of(item, asked, file)
    headers = _common(request, studio, viewer, etag) | (_shared(request, studio) if shared else ALONE)
    if viewer == STRANGER and asked in FOR_CARDS:
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if etag_matches(request.headers.get("if-none-match"), etag):
        return ByteStream(304, headers, None)
    # A download gets the item's title as its name, which only the studio can give it.
    if not _is_download(request) and (there := await studio.links.elsewhere(viewer, item, asked)) is not None:
        return ByteStream(302, headers | _redirected(there), None)
    headers |= {
        "Content-Type": file.mime_type,
        "Content-Disposition": _disposition(request, viewer, item, asked, file),
    }
    return await _content(request, studio, item, file, headers)


async def _content(request: Asked, studio: Studio, item: Media, file: StoredFile, headers: dict[str, str]) -> ASGIApp:
    """The whole file, or the range of it that was asked for."""
    if_range, etag = request.headers.get("if-range"), headers["ETag"]
    wanted = request.headers.get("range") if if_range is None or etag_matches(if_range, etag, weak=False) else None
    try:
        part = byte_range(wanted, file.size_bytes) if request.method == "GET" else None
    except Unsatisfiable:
        unsatisfied = {
            "Content-Range": f"bytes */{file.size_bytes}",
            "Content-Length": "0",
            "Cache-Control": "no-store",
        }
        return ByteStream(416, headers | unsatisfied, None)
    start, end = part or (0, file.size_bytes)
    headers["Content-Length"] = str(end - start)
    if part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size_bytes}"
    chunks = None if request.method == "HEAD" else await _opened(studio, item, file, start, end)
    return ByteStream(206 if part else 200, headers, chunks)


def etag_of(item: Media, variant: Variant, file: StoredFile) -> str:
    """Our own tag for a file; nothing of the content is in it, so it tells nothing of a withheld original."""
    text = f"{item.id}/{variant}/{file.key}/{file.size_bytes}/{item.locked}"
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def file_name(title: str, extension: str) -> tuple[str, str]:
    """A title as a file name: in plain ASCII, and as RFC 8187 writes it. Holds no path and no control character."""
    clean = "".join(" " if c in '/\\:*?"<>|%' or not c.isprintable() else c for c in title)
    name = " ".join(clean.split())[:NAME_CHARS].strip(" .") or "untitled"
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9 ._-]", "", plain).strip(" .") or "untitled"
    return f"{plain}.{extension}", quote(f"{name}.{extension}", safe="")


def _variant(name: str) -> Variant:
    try:
        return Variant(name)
    except ValueError:
        raise NotFound("There is nothing at this address.") from None


async def _admit(request: Asked, studio: Studio, variant: Variant, viewer: Viewer, item: Media) -> Viewer:
    """The viewer with what the address that was asked for opens; one through a share link as long as the link stands.

    One that was made for a person makes whoever comes with that person's key, of whatever scope, that person; their session
    or token does so by itself, and for others it is none.
    """
    expires, signature, link_id = (request.query_params.get(name) for name in ("e", "s", "l"))
    if expires is None or signature is None:
        return viewer
    opens = partial(studio.addresses.verify, item, variant, expires, signature)
    if link_id is not None:
        is_ours = is_id(link_id, "shr") and opens(link_id)
        return await studio.sharing.through(link_id, viewer, item) if is_ours else viewer
    holder = request.auth.holder
    if holder is not None and opens(holder.id):
        return structs.replace(viewer, person_id=holder.id)
    # Caches come as strangers: behind a CDN the address is the right, and all are made for everyone.
    for_everyone = studio.policy.cdn_url is not None or allowed(STRANGER, item, variant)
    return structs.replace(viewer, signed=(item.id, variant)) if for_everyone and opens() else viewer


def _is_shared(request: Asked, studio: Studio, viewer: Viewer, item: Media, variant: Variant) -> bool:
    """Whether a cache that many share may keep the answer: behind a CDN, one to an address of ours that opens by itself.

    Only to the letter: every other spelling, or something added, would be a copy of its own, as many as somebody likes.
    """
    if studio.policy.cdn_url is None or viewer.signed is None or not opens_alone(viewer.signed, item):
        return False
    expires, signature = request.query_params["e"], request.query_params["s"]
    asked = request.scope["raw_path"] + b"?" + request.scope["query_string"]
    return asked.removesuffix(b"&download=1") == written(item.id, variant, expires, signature).encode()


def _is_download(request: Asked) -> bool:
    return request.query_params.get("download") == "1"


def _rest_s(request: Asked, studio: Studio) -> int:
    """For how many seconds the signed address that was asked for holds."""
    return max((int(request.query_params["e"]) * 1000 - studio.clock.now()) // 1000, 0)


def _shared(request: Asked, studio: Studio) -> dict[str, str]:
    """What lets shared caches keep an answer until its address ends and no longer, and lets our pages show it.

    ``stale-if-error=0`` is what CloudFront wants to hear so as not to go on while the studio is down, where
    ``must-revalidate`` (RFC 9111, 5.2.2.2) is enough for others. Whoever has the address has the right: any page may.
    """
    return {
        "Cache-Control": f"public, max-age={_rest_s(request, studio)}, must-revalidate, stale-if-error=0",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Access-Control-Allow-Origin": "*",
    }


def _redirected(there: str) -> dict[str, str]:
    """What leads to a signed address. Kept by nobody: who asks again has the right looked at again, and bytes that a browser
    has stay under the address that it was led to.
    """
    return {"Location": there, "Content-Length": "0", "Cache-Control": "private, no-store"}


def _common(request: Asked, studio: Studio, viewer: Viewer, etag: str) -> dict[str, str]:
    now, window = studio.clock.now(), studio.policy.address_window_ms
    rest_s = _rest_s(request, studio) if viewer.signed else (window - now % window) // 1000
    return {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        # A link may be revoked any moment: whoever came by one asks again.
        "Cache-Control": f"private, max-age={rest_s}" if viewer.link_id is None else "private, no-cache",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": CSP,
    }


def _disposition(request: Asked, viewer: Viewer, item: Media, variant: Variant, file: StoredFile) -> str:
    title = shown_title(viewer, item)
    stem = title if variant is Variant.MASTER else f"{title} {variant}"
    plain, encoded = file_name(stem, EXTENSIONS.get(file.mime_type, "bin"))
    how = "attachment" if _is_download(request) else "inline"
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


async def _opened(studio: Studio, item: Media, file: StoredFile, start: int, end: int) -> AsyncGenerator[bytes, None]:
    """The chunks, with the first one read already, so that a file that is missing is an error and not a broken answer."""
    chunks = studio.blobs.read(file.key, start, end)
    try:
        first = await anext(chunks, b"")
    except BlobMissing:
        log.error("a stored file is missing", media=item.id, key=file.key)
        raise

    async def all_of_them() -> AsyncGenerator[bytes, None]:
        async with aclosing(chunks):  # pyright: ignore[reportArgumentType]  # the adapters' iterators are generators
            yield first
            async for chunk in chunks:
                yield chunk

    return all_of_them()
