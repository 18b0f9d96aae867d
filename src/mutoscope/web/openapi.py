"""The interface described: OpenAPI 3.1 as JSON, and the same as a page, made here without anything from elsewhere.

The framework describes routes, parameters and schemas from the code. What it cannot know is added: who may ask, how
refusals look, the multipart body, and the routes that answer with bytes or a stream.
"""

import json
from typing import Any

from litestar import Litestar, Response, get
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig

from mutoscope import __version__
from mutoscope.domain.ids import ULID
from mutoscope.web.api import api_router
from mutoscope.web.openapi_bytes import by_hand
from mutoscope.web.pages.template import page
from mutoscope.web.scopes import OPENED_BY
from mutoscope.web.security import Asked, cookie_name, studio_of

Json = dict[str, Any]

OPEN = frozenset(
    {"set_up", "register", "sign_in", "sign_in_link", "sign_out", "issue_token", "reset_password"}
    | {"forgot_password"}
    | {"list_models", "list_categories", "quote_generation"}
)
"""Operations for which it does not matter who asks."""
EITHER = frozenset(
    {"list_media", "get_item", "count_view", "follow_events", "get_file", "head_file"}
    | {"list_collections", "get_collection", "list_collected"}
)
"""Operations that strangers may ask for too, and see less."""

PROBLEMS: dict[int, str] = {
    401: "Nobody is signed in, or the token is not valid (`sign_in_needed`, `wrong_credentials`)",
    402: "Not enough tokens (`not_enough_tokens`, with `needed` and `available`); nothing was taken",
    403: "Not allowed (`forbidden`, `cross_site`; of a key `scope_needed`, with `scopes`)",
    404: "Not there, or not open to whoever asks (`not_found`)",
    409: "Changed meanwhile, taken, or not possible any more (`conflict`, `wrong_state`, `price_changed` with `price`)",
    413: "The body is too large (`too_large`)",
    415: "The body is of the wrong kind (`unsupported_media_type`)",
    422: "Not acceptable (`invalid`, `unknown_model`, `model_retired`, `bad_media`, `idempotency_key_reused`), with `fields`",
    429: "Too much at once (`too_many`), or too often (`too_often`, with `retry_after` in seconds)",
    503: "Not right now (`unavailable`); the same request works later",
}
SESSION_ID = "^ses_[0-9a-f]{24}$"
LIMITED = frozenset(
    {
        "follow_events",
        "set_up",
        "register",
        "sign_in",
        "sign_in_link",
        "issue_token",
        "change_password",
        "reset_password",
        "forgot_password",
        "set_email",
    }
    | {"create_generation", "retry_generation", "like_item", "unlike_item", "create_share_link", "share_collection"}
)
COSTLY = frozenset({"create_generation", "retry_generation", "unlock_item"})
CLASHING = frozenset(
    {
        "set_up",
        "register",
        "create_key",
        "reset_password",
        "forgot_password",
        "set_email",
        "change_item",
        "discard_item",
        "restore_item",
        "cancel_generation",
        "retry_generation",
        "unlock_item",
        "create_share_link",
        "share_collection",
        "resolve_unknown",
    }
    | {"create_collection", "change_collection", "delete_collection", "add_to_collection"}
    | {"remove_from_collection", "order_collection", "move_in_collection"}
)
TAKES_ANY_KEY = frozenset({"list_models", "list_categories"})
"""Operations that change nothing and that every key opens: nobody is refused who is anybody."""
ADMINISTRATION = frozenset({"grant_tokens", "create_reset_link", "list_unlocks", "refund_unlock"})
HANDLERS: dict[str, str] = {"get_file": "deliver", "head_file": "deliver", "follow_events": "events"}
"""Operations whose function has another name."""

PROBLEM_SCHEMA: Json = {
    "type": "object",
    "description": "What was refused and why (RFC 9457). `code` is stable; `fields` names what is wrong in the input.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "fields": {"type": "object", "additionalProperties": {"type": "string"}},
        "needed": {"type": "integer"},
        "available": {"type": "integer"},
        "version": {"type": "integer"},
        "retry_after": {"type": "integer"},
        "scopes": {"type": "array", "items": {"type": "string"}},
        "price": {"type": "integer"},
    },
}

ORDER_FORM: Json = {
    "type": "object",
    "properties": {
        "image": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": "the source picture",
        },
        "request": {"type": "string", "contentMediaType": "application/json", "description": "the whole order as JSON"},
        "model": {"type": "string"},
        "prompt": {"type": "string"},
        "negative_prompt": {"type": "string"},
        "parameters": {"type": "string", "contentMediaType": "application/json"},
        "category_selections": {"type": "string", "contentMediaType": "application/json"},
        "seed": {"type": "integer"},
        "results": {"type": "integer"},
        "visibility": {"$ref": "#/components/schemas/Visibility"},
        "source_media": {"type": "string"},
    },
}


def describe(base_url: str) -> Json:
    """The document."""
    config = OpenAPIConfig(
        title="Mutoscope",
        version=__version__,
        description="A self-hosted studio for AI images and video. Tokens are whole numbers; moments are RFC 3339 in UTC.",
        use_handler_docstrings=True,
        operation_id_creator=lambda handler, method, path: handler.handler_name.rpartition(".")[2],
    )
    # An application of its own, so that the one that serves gets none of the framework's documentation routes.
    bare = Litestar([api_router()], openapi_config=config, logging_config=None)
    document: Json = json.loads(json.dumps(bare.openapi_schema.to_schema()))
    document["servers"] = [{"url": base_url}]
    document["paths"] |= by_hand()
    components: Json = document["components"]
    components["schemas"]["Problem"] = PROBLEM_SCHEMA
    components["securitySchemes"] = {
        "session": {"type": "apiKey", "in": "cookie", "name": cookie_name(base_url)},
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key; each operation names the scopes that open it.",
        },
    }
    components["responses"] = {
        f"Problem{status}": {"description": said, "content": _content("application/problem+json", "Problem")}
        for status, said in PROBLEMS.items()
    }
    paths = document["paths"]
    _order_body(paths["/api/generations"]["post"])
    retry = paths["/api/generations/{generation_id}/retry"]["post"]
    _replayed(retry, "202", "The Idempotency-Key was used before: that job")
    unlock = paths["/api/media/{media_id}/unlock"]["post"]
    _replayed(unlock, "201", "It was unlocked before; nothing was taken")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(path, operation)
    return document


def _content(media_type: str, schema: str) -> Json:
    return {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _replayed(operation: Json, status: str, said: str) -> None:
    """What was done before under the same key is answered again, with 200."""
    operation["responses"]["200"] = {**operation["responses"][status], "description": said}


def _order_body(operation: Json) -> None:
    operation["requestBody"] = {
        "required": True,
        "content": {**_content("application/json", "Wish"), "multipart/form-data": {"schema": ORDER_FORM}},
    }
    accepted = operation["responses"]["202"]
    accepted["headers"] = {"Location": {"schema": {"type": "string"}, "description": "where the job is found"}}
    _replayed(operation, "202", "The Idempotency-Key was used before: that job")


def _complete(path: str, operation: Json) -> None:
    """Who may ask, what may be refused, and the form of ids."""
    name, responses = str(operation["operationId"]), operation["responses"]
    operation["summary"] = name.replace("_", " ").capitalize()
    signed: list[Json] = [{"session": []}, {"bearer": []}]
    scopes = sorted(OPENED_BY.get(HANDLERS.get(name, name), ()))
    signed += [{"key": [scope]} for scope in scopes] if name not in OPEN else []
    operation["security"] = [{}] if name in OPEN else [{}, *signed] if name in EITHER else signed
    operation["tags"] = [path.split("/")[2] if path.startswith("/api/") else "files"]
    for status in _refusals(path, name, operation):
        responses[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    responses.pop("400", None)
    responses.get("204", {}).pop("content", None)
    for parameter in operation.get("parameters", []):
        kinds = {"media_id": "med", "generation_id": "gen", "key_id": "key", "invite_id": "inv", "unlock_id": "unl"}
        kinds |= {"link_id": "shr", "collection_id": "col"}
        kind = kinds.get(parameter["name"])
        if kind:
            parameter["schema"] = {"type": "string", "pattern": f"^{kind}_{ULID}$"}
        elif parameter["name"] == "session_id":
            parameter["schema"] = {"type": "string", "pattern": SESSION_ID}


def _refusals(path: str, name: str, operation: Json) -> list[int]:
    takes_body = "requestBody" in operation
    applies = {
        401: True,  # a bearer that is not valid is refused everywhere
        402: name in COSTLY,
        403: name not in TAKES_ANY_KEY,
        404: "{" in path or name in ADMINISTRATION,
        409: name in CLASHING,
        413: takes_body,
        415: takes_body,
        422: takes_body or "parameters" in operation,
        429: name in LIMITED,
        503: True,
    }
    return [status for status, so in applies.items() if so]


def _document(request: Asked) -> Json:
    state = request.app.state
    if "openapi" not in state:
        state.openapi = describe(studio_of(request).base_url)
    document: Json = state.openapi
    return document


@get("/api/openapi.json", include_in_schema=False, media_type="application/json", sync_to_thread=False)
def openapi_json(request: Asked) -> Json:
    """The document."""
    return _document(request)


@get("/api/docs", include_in_schema=False)
async def reference(request: Asked) -> Response[str]:
    """The document as a page."""
    return await page(request, "reference.html", document=_document(request))


routes: list[BaseRouteHandler] = [openapi_json, reference]
