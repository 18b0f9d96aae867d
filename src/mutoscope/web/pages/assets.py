"""Style, scripts and icons: read once, served from memory under an address that changes with their content."""

import hashlib
from importlib import resources

from litestar import Response, get
from litestar.params import FromPath

from mutoscope.domain.errors import NotFound

TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"


def _read() -> dict[str, bytes]:
    folder = resources.files("mutoscope.web").joinpath("assets")
    return {
        entry.name: entry.read_bytes()
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.rpartition(".")[2] in TYPES
    }


FILES = _read()
# One digest over all of them: modules import each other by relative addresses, so they change together.
DIGEST = hashlib.sha256(b"".join(name.encode() + content for name, content in FILES.items())).hexdigest()[:12]


def address(name: str) -> str:
    """Where a file of `assets/` is found."""
    if name not in FILES:
        raise LookupError(f"there is no asset {name}")
    return f"/assets/{DIGEST}/{name}"


@get("/assets/{digest:str}/{name:str}", include_in_schema=False, sync_to_thread=False)
def asset(digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """One file. An address of another version gives today's file, and is not kept."""
    content = FILES.get(name)
    if content is None:
        raise NotFound("There is no such file.")
    return Response(
        content,
        media_type=TYPES[name.rpartition(".")[2]],
        headers={"Cache-Control": FOR_EVER if digest == DIGEST else "no-cache"},
    )
