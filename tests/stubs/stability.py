"""A stub of Stability AI's REST interface, ``python -m stubs.stability``: images at once, films from a picture by polling.

By Stability AI's OpenAPI description of 2024-12 (v2beta ``stable-image/generate/{core,ultra,sd3}``, ``image-to-video``,
v1 ``user/balance``). Films speak both of their manners: bytes, or JSON with base64 where ``Accept`` asks for it, and the
script's ``outputs: 0`` makes CONTENT_FILTERED of a result.
"""

import base64
import json
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stubs.book import Answer, Script
from stubs.serving import main
from stubs.vendor import KEY, Vendor, form

RATIOS = {"21:9", "16:9", "3:2", "5:4", "1:1", "4:5", "2:3", "9:16", "9:21"}
FILM_SIZES = {(1024, 576), (576, 1024), (768, 768)}
SD3 = {"sd3.5-large", "sd3.5-large-turbo", "sd3.5-medium"}
STYLES = {
    "3d-model", "analog-film", "anime", "cinematic", "comic-book", "digital-art", "enhance", "fantasy-art", "isometric",
    "line-art", "low-poly", "modeling-compound", "neon-punk", "origami", "photographic", "pixel-art", "tile-texture",
}  # fmt: skip
FIELDS = {
    "core": {"prompt", "negative_prompt", "aspect_ratio", "seed", "output_format", "style_preset"},
    "ultra": {"prompt", "negative_prompt", "aspect_ratio", "seed", "output_format", "image", "strength"},
    "sd3": {
        "prompt", "negative_prompt", "aspect_ratio", "seed", "output_format", "mode", "model", "cfg_scale", "image",
        "strength",
    },
}  # fmt: skip
REFUSALS = {
    "refuse": (400, "bad_request", "prompt: is not usable"),
    "moderate": (403, "content_moderation", "Your request was flagged by our content moderation system."),
    "unauthorized": (401, "unauthorized", "missing or invalid api key"),
    "credit": (402, "payment_required", "You lack sufficient balance to make this request."),
    "retired": (410, "gone", "This endpoint was discontinued."),
    "rate_limit": (429, "rate_limit_exceeded", "You have exceeded the rate limit of 150 requests within a 10 second period."),
    "busy": (503, "internal_error", "An unexpected server error has occurred."),
}  # fmt: skip


class Stability(Vendor):
    """The routes."""

    def refuse(self, how: str, headers: dict[str, str]) -> Answer:
        status, name, words = REFUSALS[how]
        return problem(status, name, words, **headers)

    async def route(
        self, method: str, path: Sequence[str], query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> None:
        if headers.get("authorization") != f"Bearer {KEY}":
            raise problem(401, "unauthorized", "missing or invalid api key")
        match method, list(path):
            case "POST", ["v2beta", "stable-image", "generate", ("core" | "ultra" | "sd3") as service]:
                await self._image(service, _form(headers, body), headers.get("accept", "*/*"))
            case "POST", ["v2beta", "image-to-video"]:
                await self._film(_form(headers, body))
            case "GET", ["v2beta", "image-to-video", "result", id]:
                self._result(id, headers.get("accept", "video/*"))
            case "GET", ["v1", "user", "balance"]:
                script = self.book.script()
                if script.account != "right":
                    self.say_no(script.account, script)
                raise Answer(200, {"credits": 12.5})
            case _:
                raise problem(404, "not_found", "no such route")

    async def _image(self, service: str, fields: dict[str, bytes], accept: str) -> None:
        given = {name: value.decode() for name, value in fields.items() if name != "image"}
        _check_image(service, given, fields.get("image"))
        id, script = await self.begin(given["prompt"], "image")
        filtered = "CONTENT_FILTERED" if self.good(script, 1) == 0 else "SUCCESS"
        seed = given.get("seed", "0")
        said = self.give(id, 0)
        if said.status != 200 or said.headers.get("Content_Type") == "text/html":
            raise said
        if accept == "application/json" or script.manner == "json":
            raise as_json("image", said, filtered, seed, "image/png")
        more = {"finish_reason": filtered, "seed": seed, "x_request_id": id}
        raise Answer(200, said.body, **said.headers, **more)

    async def _film(self, fields: dict[str, bytes]) -> None:
        size = png_or_jpeg_size(fields.get("image", b""))
        if size not in FILM_SIZES:
            raise problem(400, "bad_request", f"image: size {size} is none of the supported dimensions")
        for name, low, high in (("seed", 0, 4294967294), ("motion_bucket_id", 1, 255), ("cfg_scale", 0, 10)):
            if name in fields and not low <= float(fields[name]) <= high:
                raise problem(400, "bad_request", f"{name}: out of range")
        # A film from a picture has no prompt: the client's own name for its user, which it may send, tells jobs apart.
        id, _ = await self.begin(fields.get("stability-client-user-id", b"").decode() or "a film", "video")
        raise Answer(200, {"id": wide(id)})

    def _result(self, id: str, accept: str) -> None:
        try:
            _, results, script, stage = self.look(id[:32])
        except Answer as answer:
            gone = problem(404, "not_found", "id: does not exist or has expired")
            raise (gone if answer.status == 404 else answer) from None
        if stage == "running":
            raise Answer(202, {"id": id, "status": "in-progress"})
        if stage != "finished" or self._is_gone(id, script):
            raise problem(404, "not_found", "id: does not exist or has expired")
        filtered = "CONTENT_FILTERED" if self.good(script, results) == 0 else "SUCCESS"
        said = self.give(id[:32], 0)
        if said.status != 200 or said.headers.get("Content_Type") == "text/html":
            raise said
        if accept == "application/json" or script.manner == "json":
            raise as_json("video", said, filtered, "7", "video/mp4")
        raise Answer(200, said.body, **said.headers, finish_reason=filtered, seed="7", x_request_id=id)

    def _is_gone(self, id: str, script: Script) -> bool:
        return script.body == "expired" and self.book.still(f"gone {id}", script.body_times)


def _form(headers: dict[str, str], body: bytes) -> dict[str, bytes]:
    if not headers.get("content-type", "").startswith("multipart/form-data"):
        raise problem(400, "bad_request", "content-type: must be multipart/form-data")
    fields = form(headers, body)
    return fields | {"stability-client-user-id": headers.get("stability-client-user-id", "").encode()}


def _check_image(service: str, given: dict[str, str], image: bytes | None) -> None:
    unknown = set(given) - FIELDS[service] - {"stability-client-user-id"}
    wrong = [f"{name}: is not expected" for name in unknown]
    if not 1 <= len(given.get("prompt", "")) <= 10_000:
        wrong.append("prompt: length must be between 1 and 10000")
    if given.get("aspect_ratio", "1:1") not in RATIOS:
        wrong.append("aspect_ratio: unknown")
    formats = {"png", "jpeg"} if service == "sd3" else {"png", "jpeg", "webp"}
    if given.get("output_format", "png") not in formats:
        wrong.append("output_format: unknown")
    if given.get("style_preset", "anime") not in STYLES:
        wrong.append("style_preset: unknown")
    if not re.fullmatch(r"\d+", given.get("seed", "0")) or int(given.get("seed", "0")) > 4294967294:
        wrong.append("seed: out of range")
    if service == "sd3":
        wrong += _wrong_in_sd3(given, image)
    if image is not None and "image" not in FIELDS[service]:
        wrong.append("image: is not expected")
    if image is not None and not 0 <= float(given.get("strength", "-1")) <= 1:
        wrong.append("strength: is required with an image, from 0 to 1")
    if image is None and "strength" in given:
        wrong.append("strength: only with an image")
    if wrong:
        raise problem(400, "bad_request", *wrong)


def _wrong_in_sd3(given: dict[str, str], image: bytes | None) -> list[str]:
    wrong: list[str] = []
    if given.get("model", "sd3.5-large") not in SD3:
        wrong.append("model: unknown")
    if given.get("model") == "sd3.5-large-turbo" and "negative_prompt" in given:
        wrong.append("negative_prompt: does not work with sd3.5-large-turbo")
    if (given.get("mode", "text-to-image") == "image-to-image") is not (image is not None):
        wrong.append("mode: image-to-image and an image go together")
    if image is not None and "aspect_ratio" in given:
        wrong.append("aspect_ratio: only for text-to-image")
    if not 1 <= float(given.get("cfg_scale", "4")) <= 10:
        wrong.append("cfg_scale: from 1 to 10")
    return wrong


def wide(id: str) -> str:
    """An id of 64 hexadecimal digits, as Stability AI's are."""
    return id + id[::-1]


def problem(status: int, name: str, *errors: str, **headers: str) -> Answer:
    """An error in Stability AI's words."""
    return Answer(status, {"id": "0123456789abcdef", "name": name, "errors": list(errors)}, **headers)


def as_json(field: str, said: Answer, finish_reason: str, seed: str, media_type: str) -> Answer:
    """A result as JSON; what makes its bytes misbehave makes the JSON misbehave."""
    whole = json.dumps({field: base64.b64encode(said.body).decode(), "finish_reason": finish_reason, "seed": int(seed)})
    headers: dict[str, Any] = said.headers | {"Content_Type": f"application/json; type={media_type}"}
    if "how" in headers:
        headers["length"] = str(len(whole) * 2)
        whole = whole[: len(whole) // 2]
    return Answer(200, whole.encode(), **headers)


def png_or_jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height, read from the header."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return struct.unpack(">II", data[16:24])
    at = 2
    while data.startswith(b"\xff\xd8") and at + 9 < len(data):
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None


def routes(folder: Path, lookup: bool) -> Any:
    """For `serving.main`."""
    return Stability(folder).answer


if __name__ == "__main__":
    main(routes)
