"""Bodies on their way in: JSON of a known type and size, and multipart forms whose picture streams to the spool."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any, TypeVar

import msgspec
from litestar.types import ReceiveMessage
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from mutoscope.domain.errors import Invalid, Refused, TooLarge, TooMany, Unavailable
from mutoscope.services.generate import Upload, Wish
from mutoscope.spool import Spool
from mutoscope.web.problems import AnyRequest, Interrupted, UnsupportedMediaType, invalid_body
from mutoscope.web.security import person_of

JSON_BYTES = 1024 * 1024
FIELDS_BYTES = 1024 * 1024
"""All text fields and the framing of a form together."""
FIELD_BYTES = 256 * 1024
PARTS = 256
IDLE_S = 15.0
"""How long a body may bring nothing."""
WHOLE_S = 300.0
"""How long a body may take in all; 50 MB in that time are 1.4 Mbit/s."""
FORMS_AT_ONCE = 2
"""How many forms one person may have on the way, or being looked at, at the same time."""
RESERVE_BYTES = 256 * 1024 * 1024
"""What stays free on the spool's disk for the work that has begun."""

T = TypeVar("T")

Events = AsyncIterator[MultipartSegment | bytes | bytearray | None]


class TooSlow(Refused):
    """A body that stands still, or does not come to its end in time."""

    code = "too_slow"
    status = 408
    title = "The upload is too slow"


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """What a form held: its text fields, and the picture, whole in the spool."""

    fields: Mapping[str, str]
    image: Upload | None


def media_type(request: AnyRequest) -> tuple[str, dict[str, str]]:
    """The kind of body, in lower case, and its parameters."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    return kind, options


async def json_only(request: AnyRequest) -> None:
    """Refuses a body that is not JSON, before it is read. Raises UnsupportedMediaType."""
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    if media_type(request)[0] != "application/json":
        raise UnsupportedMediaType("Send the body as application/json.")


async def read_json(request: AnyRequest, type_: type[T]) -> T:
    """The body as that type, strictly. Raises TooLarge, Invalid."""
    body = b"".join([chunk async for chunk in chunks_of(request, JSON_BYTES)])
    return decode_json(body, type_)


def decode_json(text: bytes | str, type_: type[T], field: str = "body") -> T:
    """JSON as that type. Raises Invalid, naming the field."""
    try:
        return msgspec.json.decode(text, type=type_)
    except msgspec.ValidationError as e:
        raise invalid_body(e) from e
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise Invalid("The body is not JSON.", {field: "is not well-formed JSON"}) from e


async def chunks_of(request: AnyRequest, limit_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body as it comes. Raises TooLarge, at once when its announced length is over the limit, Interrupted and TooSlow."""
    announced = request.headers.get("content-length", "0")
    if not announced.isdigit() or int(announced) > limit_bytes:
        raise TooLarge(f"The body may have {limit_bytes} bytes.", limit_bytes=limit_bytes)
    size, more, until = 0, True, asyncio.get_running_loop().time() + WHOLE_S
    while more:
        message = await _next_message(request, until)
        if message["type"] != "http.request":
            raise Interrupted("The connection ended before the body did.")
        size += len(message["body"])
        if size > limit_bytes:
            raise TooLarge(f"The body may have {limit_bytes} bytes.", limit_bytes=limit_bytes)
        if message["body"]:
            yield message["body"]
        more = message.get("more_body", False)


async def _next_message(request: AnyRequest, until: float) -> ReceiveMessage:
    wait_s = min(IDLE_S, until - asyncio.get_running_loop().time())
    try:
        async with asyncio.timeout(wait_s):
            return await request.receive()
    except TimeoutError as e:
        raise TooSlow("What you send comes too slowly. Use a faster connection, or send something smaller.") from e


@asynccontextmanager
async def received_form(request: AnyRequest, spool: Spool, image_bytes: int) -> AsyncGenerator[Form]:
    """Take in a multipart form. The picture is in the spool for as long as the block runs; file names are ignored.

    Raises TooMany and Unavailable before anything is read, then TooLarge, Invalid, Interrupted, TooSlow, SpoolFull;
    whatever happens, nothing stays in the spool.
    """
    folder = f"upload-{secrets.token_hex(12)}"
    try:
        with _one_of_few(request):
            _check_room(request, spool, image_bytes)
            yield await _take(request, spool, folder, image_bytes)
    except ParserLimitReached as e:
        raise TooLarge("The form has more parts or longer fields than this address takes.") from e
    except MultipartError as e:
        raise Invalid("The form cannot be read.", {"body": "is not a whole multipart form"}) from e
    finally:
        spool.clear(folder)


@contextmanager
def _one_of_few(request: AnyRequest) -> Generator[None]:
    """Counts a person's forms, in this process. Raises TooMany."""
    forms: Counter[str] = request.app.state.setdefault("forms", Counter())
    person_id = person_of(request).id
    if forms[person_id] >= FORMS_AT_ONCE:
        raise TooMany(f"{FORMS_AT_ONCE} of your orders are being sent already. Wait until one of them is through.")
    forms[person_id] += 1
    try:
        yield
    finally:
        forms[person_id] -= 1
        if not forms[person_id]:
            del forms[person_id]


def _check_room(request: AnyRequest, spool: Spool, image_bytes: int) -> None:
    """Raises Unavailable when the form would take the spool's last room, SpoolFull when that cannot be told."""
    announced, most = request.headers.get("content-length", ""), image_bytes + FIELDS_BYTES
    needed = min(int(announced), most) if announced.isdigit() else most
    if spool.free_bytes() < RESERVE_BYTES + needed:
        raise Unavailable("The server has no space left for uploads. Try again later.")


async def _take(request: AnyRequest, spool: Spool, folder: str, image_bytes: int) -> Form:
    source = chunks_of(request, image_bytes + FIELDS_BYTES)

    async def read(_: int) -> bytes:
        return await anext(source, b"")

    boundary = media_type(request)[1].get("boundary", "")
    parser = PushMultipartParser(boundary, max_segment_count=PARTS)
    async with aclosing(source), aclosing(parser.parse_async(read)) as events:
        return await _sort_parts(events, spool, folder, image_bytes)


async def _sort_parts(events: Events, spool: Spool, folder: str, image_bytes: int) -> Form:
    fields: dict[str, str] = {}
    image: Upload | None = None
    async for event in events:
        if not isinstance(event, MultipartSegment):
            continue
        name = event.name or ""
        if name in fields or (name == "image" and image is not None):
            raise Invalid("A field was given twice.", {name[:80]: "give it once"})
        if name == "image":
            written = await spool.write(spool.folder(folder) / "image", _part(events), image_bytes)
            # A browser sends an empty part without a name where no file was chosen.
            if written.size_bytes or event.filename:
                image = Upload(path=written.path, sha256=written.sha256)
        else:
            fields[name] = await _text(events, name)
    return Form(fields=fields, image=image)


async def _part(events: Events) -> AsyncIterator[bytes]:
    async for event in events:
        if not isinstance(event, bytes | bytearray):
            return
        yield bytes(event)


async def _text(events: Events, name: str) -> str:
    text = bytearray()
    async for chunk in _part(events):
        text += chunk
        if len(text) > FIELD_BYTES:
            raise TooLarge(f"A field of a form may have {FIELD_BYTES} bytes.", fields={name[:80]: "too long"})
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise Invalid("The form cannot be read.", {name[:80]: "is not UTF-8"}) from None


def wish_of(fields: Mapping[str, str]) -> Wish:
    """The order that a form's fields make. Raises Invalid.

    ``request`` holds the whole order as JSON; without it each field stands for itself, with ``parameters`` and
    ``category_selections`` as JSON.
    """
    unknown = sorted(set(fields) - {"request"} - set(Wish.__struct_fields__))
    if unknown or ("request" in fields and len(fields) > 1):
        raise Invalid(
            "The form has fields that do not belong there.",
            {name[:80]: "not known here" for name in unknown} or {"request": "not together with other fields"},
        )
    if "request" in fields:
        return decode_json(fields["request"], Wish, "request")
    values: dict[str, Any] = {name: text for name, text in fields.items() if text}
    for name in ("parameters", "category_selections"):
        if name in values:
            values[name] = decode_json(values[name], dict[str, Any], name)
    try:
        return msgspec.convert(values, Wish, strict=False)
    except msgspec.ValidationError as e:
        raise invalid_body(e) from e
