"""From what HTTP says to what a provider's error means: the default tables, which an adapter's own table goes before."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from mutoscope.domain.generation import FailureKind
from mutoscope.outgoing import Answer, Answered, OutgoingError, Trouble
from mutoscope.outgoing.scanner import NotEmbedded
from mutoscope.providers.port import ProviderError

K = FailureKind

TROUBLES: Mapping[Trouble, FailureKind] = {
    # An address that may not be asked is as good as a dead one: the provider is asked for another.
    Trouble.NOT_ALLOWED: K.EXPIRED,
    Trouble.REDIRECTED: K.EXPIRED,
}
"""What trouble on the way means for a question about a job; ``unavailable`` where nothing is said."""

STATUSES: Mapping[int, FailureKind] = {
    400: K.INVALID,
    401: K.UNAUTHORIZED,
    402: K.OUT_OF_CREDIT,
    403: K.UNAUTHORIZED,
    404: K.EXPIRED,
    408: K.UNAVAILABLE,
    409: K.UNAVAILABLE,
    410: K.EXPIRED,
    413: K.INVALID,
    415: K.INVALID,
    422: K.INVALID,
    425: K.UNAVAILABLE,
    429: K.RATE_LIMITED,
}
"""What a status means. Others of 400 to 499 are ``invalid``, all else ``unavailable``."""

OF_SUBMIT: Mapping[int, FailureKind] = {
    404: K.INVALID,
    # Some gateways say 408 when what is behind them takes too long: it may be at work.
    408: K.AMBIGUOUS,
    409: K.INVALID,
    410: K.INVALID,
}
"""Where a status means something else as the answer to a submit. From 500 on nobody can say whether it was taken."""

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


def kind_of_status(status: int, *, submit: bool = False, table: Mapping[int, FailureKind] | None = None) -> FailureKind:
    """What a status means, ``table`` first."""
    if table and status in table:
        return table[status]
    if submit:
        if status >= 500 or status < 300:
            return K.AMBIGUOUS
        if status in OF_SUBMIT:
            return OF_SUBMIT[status]
    return STATUSES.get(status, K.INVALID if 400 <= status < 500 else K.UNAVAILABLE)


def kind_of_trouble(error: OutgoingError, *, submit: bool = False) -> FailureKind:
    """What trouble means: a submit of which nothing was sent was surely not taken, of any other nobody can say."""
    if submit:
        return K.AMBIGUOUS if error.sent else K.UNAVAILABLE
    return TROUBLES.get(error.trouble, K.UNAVAILABLE)


def refusal(
    answer: Answer, title: str, said: str = "", *, submit: bool = False, table: Mapping[int, FailureKind] | None = None
) -> ProviderError:
    """An answer that is no success, as the error to raise. ``said`` are the provider's own words, for the administrator."""
    kind = kind_of_status(answer.status, submit=submit, table=table)
    detail = f"{answer.where} answered {answer.status}" + (f": {said}" if said else "")
    return ProviderError(kind, MESSAGES[kind].format(title=title), detail, answer.retry_after_ms)


@contextmanager
def in_words(title: str, *, submit: bool = False, table: Mapping[int, FailureKind] | None = None) -> Generator[None]:
    """Around what an adapter asks: trouble on the way becomes a ProviderError. ``submit``: of a request that is not repeated."""
    try:
        yield
    except Answered as e:
        raise refusal(e.answer, title, submit=submit, table=table) from None
    except OutgoingError as e:
        kind = kind_of_trouble(e, submit=submit)
        raise ProviderError(kind, MESSAGES[kind].format(title=title), str(e), e.retry_after_ms) from None
    except NotEmbedded as e:
        kind = K.AMBIGUOUS if submit else K.UNAVAILABLE
        raise ProviderError(kind, MESSAGES[kind].format(title=title), str(e)) from None
