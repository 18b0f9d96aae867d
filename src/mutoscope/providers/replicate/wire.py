"""Replicate's words: predictions, and what its errors mean.

By its HTTP reference of 2026 (https://replicate.com/docs/reference/http) and its OpenAPI description 1.0.0-a1, which does
not describe answers: what is read here is read leniently.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from mutoscope.domain.generation import FailureKind, Output
from mutoscope.domain.ids import HOUR, SECOND, Millis
from mutoscope.outgoing import Answer, FilePart, Form, quoted
from mutoscope.providers.answers import Asked
from mutoscope.providers.port import SourceFile

PREDICTIONS, FILES, SECRET, ACCOUNT = "/v1/predictions", "/v1/files", "/v1/webhooks/default/secret", "/v1/account"

ERRORS: Mapping[Asked, Mapping[int, FailureKind]] = {
    "question": {404: FailureKind.EXPIRED},
    "upload": {},
    "submit": {404: FailureKind.RETIRED, 410: FailureKind.RETIRED},
    "result": {},
}
"""Only where Replicate itself speaks: a gateway's 404 says nothing of a model or of a job."""
NO_VERSION = "invalid version or not permitted"
"""How it says, with 422, that a version was deleted, or is not for this account."""
MODERATION = (
    "flagged as sensitive", "(e005)", "nsfw", "sensitive content", "sensitive words", "flagged by", "was flagged",
    "content policy", "content moderation", "content filter", "moderation system", "safety system", "safety filter",
    "safety checker flagged", "safety review", "prohibited content", "responsible ai",
)  # fmt: skip
"""How models say that they refuse a content: each has its own words, in small letters here."""
_SECONDS = re.compile(r"\b(\d{1,4}) ?s(?:econds?)?\b")
_PERCENT = re.compile(r"(?:^|[\r\n])\s*(\d{1,3})%\s*\|")
DEPTH = 4
"""How deep within an output addresses are looked for."""
Named = Annotated[str, msgspec.Meta(min_length=1)]


class Prediction(msgspec.Struct):
    """A job as Replicate tells it."""

    id: Named
    status: str = ""
    output: Any = None
    error: Any = None
    logs: Any = None
    data_removed: bool | None = None
    webhook: str | None = None


class Page(msgspec.Struct):
    """Some predictions, the newest first, and the address of the next page."""

    results: list[Prediction]
    next: str | None = None


class Addresses(msgspec.Struct):
    """Of a file: what a model takes in its place."""

    get: Named


class Uploaded(msgspec.Struct):
    """A file that was uploaded."""

    id: Named
    urls: Addresses


class Secret(msgspec.Struct):
    """What webhooks are signed with."""

    key: str


class Account(msgspec.Struct):
    """Whose token it is."""

    username: str = ""


class Problem(msgspec.Struct):
    """An error."""

    title: Any = ""
    detail: Any = ""
    retry_after: Any = None


def file_form(source: SourceFile) -> Form:
    """The source picture as an upload."""
    return Form((FilePart("content", source.path, f"source.{source.mime_type.partition('/')[2]}", source.mime_type),))


def path_of(id: str) -> str:
    """Where a prediction is. Raises NotAllowed."""
    return f"{PREDICTIONS}/{quoted(id)}"


def file_path(id: str) -> str:
    """Where an uploaded file is. Raises NotAllowed."""
    return f"{FILES}/{quoted(id)}"


def prediction_in(body: bytes) -> Prediction | None:
    """The prediction that a call is about, where it can be read."""
    try:
        return msgspec.json.decode(body, type=Prediction)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def outputs_of(prediction: Prediction) -> tuple[Output, ...]:
    """The results: the addresses in the output, in their order."""
    return tuple(Output(url=address) for address in _addresses(prediction.output, DEPTH))


def _addresses(output: Any, depth: int) -> list[str]:
    """A model answers with one address, a list of them, or an object that has them."""
    if isinstance(output, str):
        return [output] if output.startswith(("https://", "http://")) else []
    parts = output.values() if isinstance(output, dict) else output if isinstance(output, list) else ()
    return [address for part in parts for address in _addresses(part, depth - 1)] if depth else []


def progress_of(prediction: Prediction) -> float | None:
    """The last bar of progress in the logs, 0 to 1, where the model draws one."""
    found = _PERCENT.findall(prediction.logs) if isinstance(prediction.logs, str) else []
    return min(int(found[-1]) / 100, 1.0) if found else None


def is_moderated(words: str) -> bool:
    """Whether an error, or a log, says that a content was refused."""
    small = words.lower()
    return any(phrase in small for phrase in MODERATION)


def text_of(words: Any) -> str:
    """Words that may be text or something else."""
    if words is None:
        return ""
    return words if isinstance(words, str) else msgspec.json.encode(words).decode()


def problem_of(answer: Answer) -> Problem:
    """An error's words; none when it has none that can be read."""
    try:
        return msgspec.json.decode(answer.body, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Problem()


def words_of(answer: Answer) -> str:
    """An error's words, in a line."""
    problem = problem_of(answer)
    return ": ".join(filter(None, (text_of(problem.title).strip(), text_of(problem.detail).strip())))


def kind_of(answer: Answer, asked: Asked) -> FailureKind | None:
    """What an error means."""
    words = words_of(answer)
    if asked == "submit" and answer.status in {400, 403, 422}:
        if is_moderated(words):
            return FailureKind.MODERATED
        if NO_VERSION in words.lower():
            return FailureKind.RETIRED
    return ERRORS[asked].get(answer.status) if words else None


def retry_after_ms(answer: Answer) -> Millis | None:
    """How long to wait, where only the words of a 429 say so ("Your rate limit resets in ~30s.")."""
    problem = problem_of(answer)
    if answer.status != 429:
        return None
    if isinstance(problem.retry_after, int | float) and problem.retry_after >= 0:
        return min(int(problem.retry_after * SECOND), HOUR)
    found = _SECONDS.findall(text_of(problem.detail))
    return int(found[-1]) * SECOND if found else None
