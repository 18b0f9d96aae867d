"""A stub of OpenAI's images interface, ``python -m stubs.openai_images``: pictures as base64 in the answer to an order.

By OpenAI's description of 2026-08-21 for GPT image models, and its client 3.54.0 for what came since. The script's
``manner: large`` makes a picture of several megabytes of the first.
"""

import base64
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyvips

from stubs.book import Answer
from stubs.serving import main
from stubs.vendor import KEY, Vendor, form

MODELS = ("gpt-image-1.5", "gpt-image-2", "gpt-image-2.6-flare", "gpt-image-2.6-sunburst")
SIZE = r"auto|1024x1024|1536x1024|1024x1536"
FIELDS = {
    "prompt": r"(?s).{1,32000}", "model": r".+", "n": r"[1-9]|10", "size": SIZE, "quality": r"auto|low|medium|high",
    "output_format": r"png|jpeg|webp", "output_compression": r"\d{1,2}|100", "background": r"auto|opaque|transparent",
    "user": r".+",
}  # fmt: skip
ONLY = {
    "generations": FIELDS | {"moderation": r"auto|low"},
    "edits": FIELDS | {"input_fidelity": r"high|low"},
}
WHOLE = frozenset({"n", "output_compression"})
"""Numbers in JSON, text in a form."""
REFUSALS = {
    "refuse": (400, "invalid_request_error", "invalid_value", "Invalid value: 'size'."),
    "moderate": (400, "image_generation_user_error", "moderation_blocked", "Your request was rejected by the safety system."),
    "unauthorized": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    "credit": (429, "insufficient_quota", "credit_balance_exhausted", "You exceeded your current quota."),
    "retired": (404, "invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    "rate_limit": (429, "requests", "rate_limit_exceeded", "Rate limit reached for images."),
    "busy": (503, "server_error", "server_error", "The server is overloaded."),
    "forbidden": (403, "invalid_request_error", "missing_scope", "You have insufficient permissions for this operation."),
}  # fmt: skip


class Images(Vendor):
    """The routes."""

    def refuse(self, how: str, headers: dict[str, str]) -> Answer:
        status, type, code, words = REFUSALS[how]
        return problem(status, type, code, words, **headers)

    async def route(
        self, method: str, path: Sequence[str], query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> None:
        if headers.get("authorization") != f"Bearer {KEY}":
            raise self.refuse("unauthorized", {})
        match method, list(path):
            case "POST", ["v1", "images", "generations"]:
                await self._make("generations", _json(headers, body))
            case "POST", ["v1", "images", "edits"]:
                fields = _form(headers, body)
                picture = fields.pop("image", b"")
                if not picture.startswith((b"\x89PNG", b"\xff\xd8", b"RIFF")):
                    raise problem(400, "invalid_request_error", "invalid_image_file", "Invalid image file.")
                given: dict[str, Any] = {name: value.decode() for name, value in fields.items()}
                given |= {name: int(given[name]) for name in WHOLE & given.keys() if given[name].isdigit()}
                await self._make("edits", given)
            case "GET", ["v1", "models"]:
                self._models()
            case _:
                raise problem(404, "invalid_request_error", "", f"Invalid URL ({method} /{'/'.join(path)})")

    async def _make(self, what: str, given: dict[str, Any]) -> None:
        _check(given, ONLY[what])
        results = given.get("n", 1)
        id, script = await self.begin(given["prompt"], "image", results)
        good = self.good(script, results)
        if good == 0:
            raise self.refuse("moderate", {})
        said = self.give(id, 0)
        if said.status != 200 or said.headers.get("Content_Type") == "text/html":
            raise said
        right = self.files["image"]
        # What breaks off is the whole answer, not the picture in it.
        first = _large() if script.manner == "large" else right if "how" in said.headers else said.body
        pictures = [first, *(right for _ in range(good - 1))]
        whole = json.dumps(
            {
                "created": 1790000000,
                "data": [{"b64_json": base64.b64encode(picture).decode()} for picture in pictures],
                "background": "opaque", "output_format": given.get("output_format", "png"),
                "size": given.get("size", "1024x1024").replace("auto", "1024x1024"),
                "quality": given.get("quality", "medium").replace("auto", "medium"),
                "usage": {
                    "input_tokens": 12, "output_tokens": 1756, "total_tokens": 1768,
                    "input_tokens_details": {"text_tokens": 12, "image_tokens": 0},
                },
            }
        )  # fmt: skip
        headers: dict[str, Any] = said.headers | {"Content_Type": "application/json"}
        if "how" in headers:
            headers["length"] = str(len(whole) * 2)
            whole = whole[: len(whole) // 2]
        raise Answer(200, whole.encode(), **headers)

    def _models(self) -> None:
        script = self.book.script()
        if script.account != "right":
            self.say_no(script.account, script)
        names = (*MODELS, "gpt-5.6-luna")
        data = [{"id": name, "object": "model", "created": 1790000000, "owned_by": "system"} for name in names]
        raise Answer(200, {"object": "list", "data": data})


def problem(status: int, type: str, code: str, message: str, **headers: str) -> Answer:
    """An error in OpenAI's words."""
    error = {"message": message, "type": type, "param": None, "code": code or None}
    return Answer(status, {"error": error}, **headers)


def _json(headers: dict[str, str], body: bytes) -> dict[str, Any]:
    if headers.get("content-type") != "application/json":
        raise problem(400, "invalid_request_error", "unsupported_content_type", "Send application/json.")
    return json.loads(body)


def _form(headers: dict[str, str], body: bytes) -> dict[str, bytes]:
    if not headers.get("content-type", "").startswith("multipart/form-data"):
        raise problem(400, "invalid_request_error", "unsupported_content_type", "Send multipart/form-data.")
    return form(headers, body)


def _check(given: dict[str, Any], rules: dict[str, str]) -> None:
    if "prompt" not in given:
        raise problem(400, "invalid_request_error", "missing_required_parameter", "Missing parameter: 'prompt'.")
    for name, value in given.items():
        if name not in rules:
            raise problem(400, "invalid_request_error", "unknown_parameter", f"Unknown parameter: '{name}'.")
        if isinstance(value, int) is not (name in WHOLE) or not re.fullmatch(rules[name], str(value)):
            raise problem(400, "invalid_request_error", "invalid_value", f"Invalid value: '{value}' for '{name}'.")


def _large() -> bytes:
    """Noise, which does not become smaller: about 3 MB."""
    noise: Any = pyvips.Image.gaussnoise(1024, 1024, seed=1)
    rgb = noise.bandjoin([noise.rot90(), noise.rot180()]).cast("uchar")
    return rgb.copy(interpretation="srgb").pngsave_buffer(compression=1)


def routes(folder: Path, lookup: bool) -> Any:
    """For `serving.main`."""
    return Images(folder).answer


if __name__ == "__main__":
    main(routes)
