"""What fal's errors mean, in one table by their machine-readable type; the status decides only where there is none.

A model's errors are a list of ``detail`` with a ``type`` each, and X-Fal-Retryable says whether another try may help.
Those of fal's own machinery have one ``error_type``, in the body and as X-Fal-Error-Type. Not all models have come to
either, so whatever else stands there is only quoted (https://fal.ai/docs/documentation/model-apis/errors, request-errors).
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from mutoscope.domain.generation import FailureKind
from mutoscope.outgoing import Answer
from mutoscope.providers.answers import SAID_CHARS, Asked

K = FailureKind

TYPES: Mapping[str, FailureKind] = {
    "content_policy_violation": K.MODERATED,
    "request_timeout": K.TIMED_OUT,
    "startup_timeout": K.TIMED_OUT,
    "generation_timeout": K.TIMED_OUT,
    "runner_scheduling_failure": K.UNUSABLE,
    "runner_connection_timeout": K.UNUSABLE,
    "runner_disconnected": K.UNUSABLE,
    "runner_connection_refused": K.UNUSABLE,
    "runner_connection_error": K.UNUSABLE,
    "runner_incomplete_response": K.UNUSABLE,
    "runner_server_error": K.UNUSABLE,
    "internal_error": K.UNUSABLE,
    "internal_server_error": K.UNUSABLE,
    "downstream_service_error": K.UNUSABLE,
    "downstream_service_unavailable": K.UNUSABLE,
    "no_media_generated": K.UNUSABLE,
}
"""What ends a request. Types that are not here are about what was asked for: ``invalid``."""
PASSING = frozenset({401, 402, 403, 408, 425, 429})
"""What is about the key, the account or the moment, not about a request."""
REQUEST_ID = "x-fal-request-id"
"""On answers of fal's own servers, not of what stands before them. A model that stumbled over a request answers 500."""
LOCKED = "user is locked"
BALANCE_WORDS = ("balance", "top_up", "top up")
"""An account without credit has no type of its own: 403, and these words."""


class Problem(msgspec.Struct, frozen=True):
    """An error: its types, whether another try may help as far as fal says so, and its words."""

    types: tuple[str, ...] = ()
    retryable: bool | None = None
    words: str = ""

    def __str__(self) -> str:
        return " ".join((*self.types, self.words)).strip()[:SAID_CHARS]


NOTHING = Problem()


class _Body(msgspec.Struct):
    detail: Any = None
    error_type: str | None = None


def problem_of(answer: Answer) -> Problem:
    """An error's answer, read."""
    try:
        body = msgspec.json.decode(answer.body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = _Body()
    header = answer.headers.get("x-fal-error-type")
    types, words = _of_detail(body.detail)
    own = tuple(type for type in (body.error_type or header,) if type)
    retryable = {"true": True, "false": False}.get(answer.headers.get("x-fal-retryable", "").lower())
    return Problem(own + types, retryable, words)


def _of_detail(detail: Any) -> tuple[tuple[str, ...], str]:
    if isinstance(detail, str):
        return (), detail
    found = [cast(Mapping[str, Any], one) for one in cast(list[Any], detail if isinstance(detail, list) else [])
             if isinstance(one, dict)]  # fmt: skip
    types = tuple(one["type"] for one in found if isinstance(one.get("type"), str))
    # Not ``input``: that is what the person wrote.
    words = (f"{'.'.join(map(str, cast(list[Any], one.get('loc') or [])))}: {one.get('msg', '')}" for one in found)
    return types, "; ".join(words)


def kind_of_types(types: Iterable[str], retryable: bool | None = None) -> FailureKind:
    """What ended a request: the first type that is known; a refusal for its content before all others."""
    known = [TYPES[type] for type in types if type in TYPES]
    if K.MODERATED in known:
        return K.MODERATED
    return known[0] if known else K.UNUSABLE if retryable else K.INVALID


def kind_of(answer: Answer, asked: Asked) -> FailureKind | None:
    """What an answer means that is about an order or a request; None: what its status says."""
    if not answer.keyed:
        # From where results are kept.
        return None
    problem, status = problem_of(answer), answer.status
    if status == 403 and LOCKED in (words := problem.words.lower()) and any(word in words for word in BALANCE_WORDS):
        return K.OUT_OF_CREDIT
    if status in {404, 410} and problem.words:
        # In fal's own words: a page of something else on the way says nothing of a model or a request.
        return K.RETIRED if asked == "submit" else K.EXPIRED
    if asked == "submit" and 400 <= status < 500 and kind_of_types(problem.types) is K.MODERATED:
        return K.MODERATED
    return None


def is_no_such_request(answer: Answer) -> bool:
    """Whether fal itself says that it has no such request, or that this is no request's name."""
    return answer.status in {400, 404, 410, 422} and problem_of(answer) != NOTHING


def said_by(error_type: str | None, error: Any) -> Problem:
    """What stands beside the status of a request; `NOTHING` when it was made."""
    return Problem((error_type,) if error_type else (), words=str(error) if error else "")


def ended(answer: Answer, said: Problem) -> FailureKind | None:
    """Why a completed request has no result, from the answer to the question for it; None when that says nothing of it.

    Errors of a gateway on the way have no type, and pass. ``said``: what stood beside the status.
    """
    problem, status = problem_of(answer), answer.status
    if status in PASSING:
        return None
    if problem.types:
        return kind_of_types(problem.types, problem.retryable)
    if said != NOTHING or (status == 500 and REQUEST_ID in answer.headers and problem.words):
        return K.UNUSABLE
    if status in {400, 422}:
        return K.UNUSABLE if problem.retryable else K.INVALID
    return None


def is_early(status: int, problem: Problem) -> bool:
    """Whether the result is not to be had yet, though the request is completed: one of fal's places may lag behind."""
    return status == 400 and not problem.types and "in progress" in problem.words


def is_known(types: Iterable[str]) -> bool:
    """Whether the table has one of them."""
    return any(type in TYPES for type in types)


def is_cancel(types: Iterable[str]) -> bool:
    """Whether a request ended because it was canceled. The word for it is not documented."""
    return any("cancel" in type.lower() for type in types)
