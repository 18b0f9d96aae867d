"""A stub of fal's queue, ``python -m stubs.fal``: orders, standing, results, cancels, files, and signed calls.

By fal's Inference API and the pages on errors, cancels and webhooks, as of November 2026; fields of models by the llms.txt
that fal has for each. What it says where fal says nothing in writing: the type of a request that was canceled, the words
with which a result is refused too early. A field that a model does not have is refused, as fal refuses it.

    GET /admin/webhook?reference=PROMPT&how=right|forged|old    a call about that job: {"headers": {...}, "body": "..."}
    POST /admin/keys {"keys": [n, ...]}                         which keys are published from now on; 0 and 1 at first
"""

import base64
import hashlib
import json
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stubs.book import Answer, Script
from stubs.serving import main
from stubs.vendor import KEY, Stage, Vendor

TEXT, WHOLE, NUMBER, YES_NO, PICTURE, SIZE = "text", "whole", "number", "yes or no", "picture", "size"
Fields = Mapping[str, Any]
LTX: Fields = {
    "prompt*": TEXT, "duration": {6, 8, 10, 12, 14, 16, 18, 20}, "resolution": {"1080p", "1440p", "2160p"},
    "aspect_ratio": {"16:9", "9:16"}, "fps": {24, 25, 48, 50}, "generate_audio": YES_NO,
}  # fmt: skip
FLUX: Fields = {
    "prompt*": TEXT, "image_size": SIZE, "num_inference_steps": WHOLE, "seed": WHOLE, "guidance_scale": NUMBER,
    "num_images": {1, 2, 3, 4}, "enable_safety_checker": YES_NO, "output_format": {"jpeg", "png"},
    "acceleration": {"none", "regular", "high"}, "sync_mode": YES_NO,
}  # fmt: skip
KLING: Fields = {"prompt*": TEXT, "negative_prompt": TEXT, "duration": {"5", "10"}}
MODELS: Mapping[str, Fields] = {
    "fal-ai/flux/dev": FLUX,
    "fal-ai/flux/schnell": FLUX,
    "fal-ai/flux-2-pro": {
        "prompt*": TEXT, "image_size": SIZE, "seed": WHOLE, "safety_tolerance": {"1", "2", "3", "4", "5"},
        "enable_safety_checker": YES_NO, "output_format": {"jpeg", "png"}, "sync_mode": YES_NO,
    },
    "fal-ai/ltx-2.3/text-to-video/fast": LTX,
    "fal-ai/ltx-2.3/image-to-video/fast": LTX | {
        "image_url*": PICTURE, "end_image_url": PICTURE, "aspect_ratio": {"auto", "16:9", "9:16"},
    },
    "fal-ai/kling-video/v2.5-turbo/pro/text-to-video": KLING | {
        "aspect_ratio": {"16:9", "9:16", "1:1"}, "cfg_scale": NUMBER,
    },
    "fal-ai/kling-video/v2.5-turbo/standard/image-to-video": KLING | {"image_url*": PICTURE, "cfg_scale": NUMBER},
    "fal-ai/kling-video/v2.6/pro/image-to-video": KLING | {
        "start_image_url*": PICTURE, "end_image_url": PICTURE, "generate_audio": YES_NO,
    },
}  # fmt: skip
SIZES = {"square_hd", "square", "portrait_4_3", "portrait_16_9", "landscape_4_3", "landscape_16_9"}
REFUSALS: Mapping[str, tuple[int, Any]] = {
    "refuse": (422, [("body.prompt", "Value error, the prompt is not usable", "value_error")]),
    "moderate": (422, [("body.prompt", "The content was flagged by a content checker.", "content_policy_violation")]),
    "unauthorized": (401, "Cannot access application. Authentication is required to access this application."),
    "credit": (403, "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."),
    "retired": (404, 'Application "flux" not found'),
    "rate_limit": (429, "Too many requests"),
    "busy": (503, "Service temporarily unavailable"),
}
WEBHOOK_USER = "stub-user"


class Fal(Vendor):
    """The routes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._published = [0, 1]

    def refuse(self, how: str, headers: dict[str, str]) -> Answer:
        status, detail = REFUSALS[how]
        return problem(status, detail, **headers)

    async def route(
        self, method: str, path: Sequence[str], query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> None:
        match method, list(path):
            case "GET", [".well-known", "jwks.json"]:
                raise Answer(200, {"keys": [published(number) for number in self._published]})
            case "GET", ["files", id, place, _]:
                # As good as another host: it asks for no key. The address of a result never changes.
                raise self.give(id, int(place), 1)
            case _:
                self._check_key(headers)
        match method, list(path):
            case "POST", model:
                await self._order("/".join(model), query, headers, body)
            case "GET", [_, _, "requests", id, "status"]:
                self._status(id)
            case "GET", [_, _, "requests", id]:
                self._result(id, headers["host"])
            case "PUT", [_, _, "requests", id, "cancel"]:
                self._cancel(id)

    def _check_key(self, headers: Mapping[str, str]) -> None:
        script = self.book.script()
        if script.account != "right":
            self.say_no(script.account, script)
        if headers.get("authorization") != f"Key {KEY}":
            raise problem(401, "Cannot access application. Authentication is required to access this application.")

    async def _order(self, model: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> None:
        if model not in MODELS:
            raise problem(404, f'Application "{model}" not found')
        if headers.get("content-type") != "application/json":
            raise problem(422, [("body", "Input should be a valid dictionary", "dict_type")])
        given = json.loads(body)
        wrong = wrong_in(MODELS[model], given)
        if set(query) - {"fal_webhook"} or not query.get("fal_webhook", "https://").startswith("http"):
            wrong.append(("query", "is not expected", "extra_forbidden"))
        if wrong:
            raise problem(422, wrong)
        kind = "video" if "video" in model else "image"
        id, _ = await self.begin(given["prompt"], kind, given.get("num_images", 1))
        app = "/".join(model.split("/")[:2])
        address = f"http://{headers['host']}/{app}/requests/{dashed(id)}"
        begun = {
            "status": "IN_QUEUE", "request_id": dashed(id), "gateway_request_id": dashed(id), "queue_position": 0,
            "response_url": address, "status_url": f"{address}/status", "cancel_url": f"{address}/cancel",
        }  # fmt: skip
        raise Answer(200, begun)

    def _look(self, id: str) -> tuple[str, int, Script, Stage]:
        try:
            found = self.look(id.replace("-", ""))
        except Answer as answer:
            raise (problem(404, "Request not found") if answer.status == 404 else answer) from None
        script = found[2]
        if script.poll == "lost" and self.book.still(f"poll {id}", script.poll_times):
            raise problem(404, "Request not found")
        return found

    def _status(self, id: str) -> None:
        kind, _, script, stage = self._look(id)
        said: dict[str, Any] = {"request_id": id, "logs": None}
        if script.poll == "word" and self.book.still(f"poll {id}", script.poll_times):
            raise Answer(202, said | {"status": "WARMING_UP"})
        if stage == "running":
            raise Answer(202, said | {"status": "IN_PROGRESS"})
        said |= {"status": "COMPLETED", "metrics": {"inference_time": 0.1}}
        if stage == "canceled":
            said |= {"error": "Request was cancelled", "error_type": "request_cancelled"}
        if stage == "failed" and kind == "video":
            said |= {"error": "The runner disconnected", "error_type": "runner_disconnected"}
        raise Answer(200, said)

    def _result(self, id: str, host: str) -> None:
        kind, results, script, stage = self._look(id)
        if stage == "running":
            raise problem(400, "Request is still in progress")
        if stage == "canceled":
            raise problem(499, "Request was cancelled", error_type="request_cancelled")
        if stage == "failed":
            # A film's is in its standing too.
            raise problem(422, [("body", "Failed to generate", "image_load_error")])
        good = self.good(script, results)
        if kind == "video" and good == 0:
            raise self.refuse("moderate", {"X_Fal_Retryable": "false"})
        hex, end = id.replace("-", ""), "mp4" if kind == "video" else "png"
        files = [{"url": f"http://{host}/files/{hex}/{place}/a.{end}", "content_type": f"{kind}/{end}"}
                 for place in range(results)]  # fmt: skip
        if kind == "video":
            raise Answer(200, {"video": {**files[0], "file_name": "a.mp4"}})
        dark = [place >= good for place in range(results)]
        raise Answer(200, {"images": files, "seed": 7, "has_nsfw_concepts": dark, "prompt": "", "timings": {}})

    def _cancel(self, id: str) -> None:
        try:
            _, _, script, since, canceled = self.book.job(id.replace("-", ""))
        except Answer:
            raise Answer(404, {"status": "NOT_FOUND"}) from None
        if script.cancel == "busy" and self.book.still(f"cancel {id}", script.cancel_times):
            self.say_no("busy", script)
        if script.cancel == "finish_first" or self.stage(script, since, canceled) != "running":
            raise Answer(400, {"status": "ALREADY_COMPLETED"})
        if script.cancel != "ignore":
            self.book.cancel(id.replace("-", ""))
        raise Answer(202, {"status": "CANCELLATION_REQUESTED"})

    async def administer(self, method: str, path: Sequence[str], query: dict[str, str], body: bytes) -> None:
        match method, list(path):
            case "GET", ["webhook"]:
                id = self.book.find(query["reference"]) or uuid.uuid4().hex
                raise Answer(200, call_about(dashed(id), query.get("how", "right")))
            case "POST", ["keys"]:
                self._published = json.loads(body)["keys"]
                raise Answer(200, {})
            case _:
                return


def dashed(id: str) -> str:
    """An id as fal writes it."""
    return str(uuid.UUID(id))


def problem(status: int, detail: Any, **more: str) -> Answer:
    """An error in fal's words: of a model, with types, or of fal's own machinery."""
    error_type = more.pop("error_type", None)
    if isinstance(detail, str):
        body = {"detail": detail} | ({"error_type": error_type} if error_type else {})
        return Answer(status, body, **more | ({"X_Fal_Error_Type": error_type} if error_type else {}))
    listed = [{"loc": loc.split("."), "msg": msg, "type": type, "input": "?", "url": f"https://docs.fal.ai/errors#{type}"}
              for loc, msg, type in detail]  # fmt: skip
    return Answer(status, {"detail": listed}, **{"X_Fal_Retryable": "false"} | more)


def wrong_in(fields: Fields, given: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What is wrong with an order's fields."""
    known = {name.rstrip("*"): kind for name, kind in fields.items()}
    wrong = [
        (f"body.{name}", "Extra inputs are not permitted", "extra_forbidden") for name in given if name not in known
    ]
    missing = [name.rstrip("*") for name in fields if name.endswith("*") and name.rstrip("*") not in given]
    wrong += [(f"body.{name}", "Field required", "missing") for name in missing]
    wrong += [(f"body.{name}", f"Input should be {known[name]}", "type_error") for name, value in given.items()
              if name in known and not fits(known[name], value)]  # fmt: skip
    return wrong


def fits(kind: Any, value: Any) -> bool:
    """Whether a value is what a field takes, and of the right type: "5" is not 5."""
    if isinstance(kind, set):
        return any(type(value) is type(one) and value == one for one in kind)
    if kind == WHOLE:
        return type(value) is int and 0 <= value < 2**31
    if kind == NUMBER:
        return type(value) in (int, float)
    if kind == YES_NO:
        return type(value) is bool
    if kind == SIZE:
        return value in SIZES if isinstance(value, str) else _is_size(value)
    return isinstance(value, str) and (kind == TEXT or is_picture(value))


def _is_size(value: Any) -> bool:
    sides = (value.get("width"), value.get("height")) if isinstance(value, dict) and len(value) == 2 else (0, 0)
    return all(type(side) is int and 64 <= side <= 14142 for side in sides)


def is_picture(address: str) -> bool:
    """Whether it is an address of a picture, or holds one."""
    found = re.fullmatch(r"data:image/(png|jpeg|webp);base64,([A-Za-z0-9+/]+=*)", address)
    if found is None:
        return address.startswith("https://")
    begins = {"png": b"\x89PNG", "jpeg": b"\xff\xd8\xff", "webp": b"RIFF"}
    return base64.b64decode(found[2], validate=True).startswith(begins[found[1]])


def signer(number: int) -> Ed25519PrivateKey:
    """One of the stub's keys."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number + 1]) * 32)


def published(number: int) -> dict[str, str]:
    """A key as it is published."""
    x = base64.urlsafe_b64encode(signer(number).public_key().public_bytes_raw()).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": str(number), "x": x}


def call_about(id: str, how: str = "right", number: int = 1) -> dict[str, Any]:
    """A call as fal makes it. ``forged``: signed by a key that is not fal's; ``old``: an hour ago."""
    body = json.dumps({
        "request_id": id, "gateway_request_id": id, "status": "OK", "error": None,
        "payload": {"video": {"url": "https://v3.fal.media/files/a/b.mp4"}},
    })  # fmt: skip
    timestamp = str(int(time.time()) - (3600 if how == "old" else 0))
    message = "\n".join((id, WEBHOOK_USER, timestamp, hashlib.sha256(body.encode()).hexdigest()))
    signature = signer(99 if how == "forged" else number).sign(message.encode()).hex()
    names = {"request-id": id, "user-id": WEBHOOK_USER, "timestamp": timestamp, "signature": signature}
    headers = {f"x-fal-webhook-{name}": value for name, value in names.items()}
    return {"headers": headers | {"content-type": "application/json"}, "body": body}


def routes(folder: Path, lookup: bool) -> Any:
    """For `serving.main`."""
    return Fal(folder).answer


if __name__ == "__main__":
    main(routes)
