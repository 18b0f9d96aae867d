"""The description of what the framework cannot describe: the routes that answer with bytes or a stream."""

from typing import Any

from mutoscope.domain.media import Variant

Json = dict[str, Any]


def by_hand() -> Json:
    """Their paths."""
    media_id: Json = {"name": "media_id", "in": "path", "required": True, "schema": {"type": "string"}}
    variant: Json = {"name": "variant", "in": "path", "required": True, "schema": {"enum": [v.value for v in Variant]}}
    signature: list[Json] = [
        {
            "name": "e",
            "in": "query",
            "description": "with `s`: a signed address, as items carry it",
            "schema": {"type": "string"},
        },
        {"name": "s", "in": "query", "schema": {"type": "string"}},
        {
            "name": "l",
            "in": "query",
            "description": "the share link that it was handed out through",
            "schema": {"type": "string"},
        },
        {
            "name": "download",
            "in": "query",
            "description": "1: save under the item's title; anything else means nothing",
            "schema": {"type": "string"},
        },
    ]
    ranged: list[Json] = [
        {"name": name, "in": "header", "schema": {"type": "string"}} for name in ("Range", "If-Range", "If-None-Match")
    ]
    file: Json = {"content": {kind: {} for kind in ("image/*", "video/*", "text/vtt")}}
    answers: Json = {
        "200": {"description": "The file", **file},
        "206": {"description": "One range of it", **file},
        "304": {"description": "What the client has is still right"},
        "416": {"description": "The range lies outside the file; Content-Range says how long it is"},
    }
    resume: list[Json] = [
        {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}},
        {
            "name": "after",
            "in": "query",
            "description": "the same, for clients that cannot set it",
            "schema": {"type": "string"},
        },
    ]
    return {
        "/media/{media_id}/{variant}": {
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
        },
        "/api/events": {
            "get": {
                "operationId": "follow_events",
                "description": "Server-sent events: `generation`, `media`, `tokens`, `model`, `collection` with `{id, version}`; `hello`; `resync`: "
                "too much was missed, read everything again.",
                "parameters": resume,
                "responses": {
                    "200": {
                        "description": "The stream",
                        "content": {"text/event-stream": {"schema": {"type": "string"}}},
                    }
                },
            }
        },
    }
