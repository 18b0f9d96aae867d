"""The description of what the framework cannot describe: the routes that answer with bytes or a stream."""

from typing import Any

from mutoscope.domain.media import Variant

Json = dict[str, Any]


def by_hand() -> Json:
    """Their paths."""
    return {"/media/{media_id}/{variant}": _file(), "/api/events": {"get": _events()}}


def _file() -> Json:
    media_id: Json = {"name": "media_id", "in": "path", "required": True, "schema": {"type": "string"}}
    variant: Json = {"name": "variant", "in": "path", "required": True, "schema": {"enum": [v.value for v in Variant]}}
    signature = [
        _text("e", "query", "with `s`: a signed address, as items carry it"),
        _text("s", "query"),
        _text("l", "query", "the share link that it was handed out through"),
        _text("download", "query", "1: save under the item's title; anything else means nothing"),
    ]
    ranged = [_text(name, "header") for name in ("Range", "If-Range", "If-None-Match")]
    file: Json = {"content": {kind: {} for kind in ("image/*", "video/*", "text/vtt")}}
    answers: Json = {
        "200": {"description": "The file", **file},
        "206": {"description": "One range of it", **file},
        "304": {"description": "What the client has is still right"},
        "416": {"description": "The range lies outside the file; Content-Range says how long it is"},
    }
    return {
        "get": {
            "operationId": "get_file",
            "description": "One file of an item. Byte ranges work; of several ranges the whole file is sent.",
            "parameters": [media_id, variant, *signature, *ranged],
            "responses": answers,
        },
        "head": {
            "operationId": "head_file",
            "description": "The header fields of a file.",
            "parameters": [dict(media_id), variant, *signature],
            "responses": {status: {"description": answers[status]["description"]} for status in ("200", "304")},
        },
    }


def _events() -> Json:
    stream: Json = {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
    return {
        "operationId": "follow_events",
        "description": "Server-sent events: `generation`, `media`, `tokens`, `model`, `collection` with `{id, version}`; `hello`; `resync`: "
        "too much was missed, read everything again.",
        "parameters": [
            _text("Last-Event-ID", "header"),
            _text("after", "query", "the same, for clients that cannot set it"),
        ],
        "responses": {"200": {"description": "The stream", **stream}},
    }


def _text(name: str, place: str, description: str = "") -> Json:
    said = {"description": description} if description else {}
    return {"name": name, "in": place, **said, "schema": {"type": "string"}}
