"""From what HTTP says to what a provider's error means: the default tables, which an adapter's own table goes before."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Literal

from mutoscope.domain.generation import FailureKind
from mutoscope.outgoing import Answer, Answered, NotAllowed, NotEmbedded, OutgoingError, Trouble
from mutoscope.providers.port import ProviderError

K = FailureKind
Table = Mapping[int, FailureKind]
SAID_CHARS = 500

Asked = Literal["question", "upload", "submit", "result"]
"""What was asked: how a job stands (or anything else that may be asked again), to take a file that goes before an order,
a new job, the bytes of a result.
"""

STATUSES: Mapping[int, FailureKind] = {
    401: K.UNAUTHORIZED,
    402: K.OUT_OF_CREDIT,
    403: K.UNAUTHORIZED,
    404: K.UNAVAILABLE,
    408: K.UNAVAILABLE,
    409: K.UNAVAILABLE,
    410: K.UNAVAILABLE,
    425: K.UNAVAILABLE,
    429: K.RATE_LIMITED,
}
"""What a status means. To what is sent (``SENDING``) others of 400 to 499 are ``invalid``, all else is ``unavailable``.

That a question is refused (400, 404, 422 ...) ends no job here: something on the way to the provider may say so, or the
base address be wrong today. Only an adapter can know better.
"""
SENDING = frozenset({"upload", "submit"})
ELSEWHERE = frozenset({301, 307, 308})
"""Sent on as it is, so it was not taken. Other redirects may be how a server says that it did."""
OF: Mapping[Asked, Mapping[int, FailureKind]] = {
    "question": {},
    "upload": {},
    # Some gateways say 408 when what is behind them takes too long: it may be at work.
    "submit": {404: K.INVALID, 408: K.AMBIGUOUS, 409: K.INVALID, 410: K.INVALID},
    "result": {404: K.EXPIRED, 410: K.EXPIRED},
}
"""Where it means something else, by what was asked. A submit that is answered neither with success nor with an error of
ours (400 to 499) may have been taken.
"""
SIGNED: Mapping[int, FailureKind] = {400: K.EXPIRED, 401: K.EXPIRED, 403: K.EXPIRED}
"""How stores say that a signed address is over: the key was not sent there, so it is not the key that they refuse."""
FORBIDDEN = frozenset({Trouble.NOT_ALLOWED, Trouble.REDIRECTED})
"""A result at an address that may not be asked is as good as gone: the provider is asked for another."""

MESSAGES: Mapping[FailureKind, str] = {
    K.INVALID: "{title} did not accept this request. Change the prompt or the settings and try again.",
    K.MODERATED: "{title} refused this request for its content. Your tokens are back; try another prompt.",
    K.UNAUTHORIZED: "{title} does not accept this studio's key. The operator of this studio has to set it right.",
    K.OUT_OF_CREDIT: "This studio's account at {title} has no credit left. The operator has to add some.",
    K.RATE_LIMITED: "{title} takes no more requests just now.",
    K.UNAVAILABLE: "{title} cannot be reached, or does not work, just now.",
    K.RETIRED: "{title} no longer has this model. Your tokens are back; choose another model.",
    K.EXPIRED: "{title} no longer has the result. Your tokens are back; try it again.",
    K.AMBIGUOUS: "{title} did not say whether it took this job.",
    K.UNUSABLE: "{title} gave a result that cannot be used. Your tokens are back; try it again.",
    K.TIMED_OUT: "{title} did not finish in time. Your tokens are back; try it again.",
}


def kind_of(answer: Answer, asked: Asked = "question", table: Table | None = None) -> FailureKind:
    """What an answer that is no success means, ``table`` first."""
    status = answer.status
    for known in (table or {}, OF[asked], SIGNED if asked == "result" and not answer.keyed else {}):
        if status in known:
            return known[status]
    if asked == "submit" and not 400 <= status < 500 and status not in ELSEWHERE:
        return K.AMBIGUOUS
    return STATUSES.get(status, K.INVALID if asked in SENDING and 400 <= status < 500 else K.UNAVAILABLE)


def kind_of_trouble(error: OutgoingError, asked: Asked = "question") -> FailureKind:
    """What trouble means: a submit of which nothing was sent was surely not taken, of any other nobody can say."""
    if asked == "submit":
        return K.AMBIGUOUS if error.sent else K.UNAVAILABLE
    return K.EXPIRED if asked == "result" and error.trouble in FORBIDDEN else K.UNAVAILABLE


def refusal(
    answer: Answer, title: str, asked: Asked = "question", table: Table | None = None, said: str = ""
) -> ProviderError:
    """An answer that is no success, as the error to raise. ``said`` are the provider's own words, for the administrator."""
    kind = kind_of(answer, asked, table)
    detail = f"{answer.where} answered {answer.status}" + (f": {said[:SAID_CHARS]}" if said else "")
    return ProviderError(kind, MESSAGES[kind].format(title=title), detail, answer.retry_after_ms)


@contextmanager
def in_words(title: str, asked: Asked = "question", table: Table | None = None) -> Generator[None]:
    """Around what an adapter asks: trouble on the way, and a result that is refused, become a ProviderError."""
    try:
        yield
    except Answered as e:
        raise refusal(e.answer, title, asked, table) from None
    except OutgoingError as e:
        kind = kind_of_trouble(e, asked)
        raise ProviderError(kind, MESSAGES[kind].format(title=title), str(e), e.retry_after_ms) from None
    except NotAllowed as e:
        # From `quoted`: nothing was asked yet.
        raise ProviderError(K.UNAVAILABLE, MESSAGES[K.UNAVAILABLE].format(title=title), str(e)) from None
    except NotEmbedded as e:
        kind = K.AMBIGUOUS if asked == "submit" else K.UNAVAILABLE
        raise ProviderError(kind, MESSAGES[kind].format(title=title), str(e)) from None
