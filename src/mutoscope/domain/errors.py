"""Everything that can be refused, each with a stable code, an HTTP status and a sentence that says what to do.

The web turns these into problem details (RFC 9457), the command line into an exit code and one line.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class Refused(Exception):
    """A request that is refused. ``detail`` is written for the person who made it and holds no secret."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "The request was refused"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra: Mapping[str, Any] = extra


class Invalid(Refused):
    """The input is not acceptable. ``fields`` maps the name of a field to what is wrong with it."""

    code = "invalid"
    status = 422
    title = "Something in the request is not right"

    def __init__(self, detail: str, fields: Mapping[str, str] | None = None, **extra: Any) -> None:
        super().__init__(detail, **({"fields": dict(fields)} if fields else {}), **extra)


class UnknownModel(Invalid):
    """No such model, or not enabled here."""

    code = "unknown_model"
    title = "There is no such model here"


class ModelRetired(Invalid):
    """A model that its provider does not make any more; the words say what to use instead."""

    code = "model_retired"
    title = "This model is not made any more"


class BadMedia(Invalid):
    """An upload that cannot be taken: not a picture or film, truncated, hostile or over a limit."""

    code = "bad_media"
    title = "The file cannot be used"


class TooLarge(Refused):
    """A body over the limit of its route."""

    code = "too_large"
    status = 413
    title = "The upload is too large"


class SignInNeeded(Refused):
    """No session, or one that has ended."""

    code = "sign_in_needed"
    status = 401
    title = "Sign in first"


class WrongCredentials(Refused):
    """Name or password is wrong; which of them is not said."""

    code = "wrong_credentials"
    status = 401
    title = "Name or password is wrong"


class Forged(Refused):
    """A call that does not surely come from the provider it claims to come from."""

    code = "forged"
    status = 401
    title = "The signature is not right"


class Forbidden(Refused):
    """Signed in, but without the right."""

    code = "forbidden"
    status = 403
    title = "Not allowed"


class NotFound(Refused):
    """Nothing there, or nothing that this viewer may know of: the two are not told apart."""

    code = "not_found"
    status = 404
    title = "Not found"


class NotEnoughTokens(Refused):
    """The balance does not cover the price; nothing was taken."""

    code = "not_enough_tokens"
    status = 402
    title = "Not enough tokens"

    def __init__(self, needed: int, available: int, way_out: str = "or choose something shorter or smaller") -> None:
        super().__init__(
            f"This costs {needed} tokens and {available} are available. Get more tokens, {way_out}.",
            needed=needed,
            available=available,
        )


class IdempotencyMismatch(Refused):
    """An Idempotency-Key that was used for another body."""

    code = "idempotency_key_reused"
    status = 422
    title = "This Idempotency-Key was used for another request"


class Conflict(Refused):
    """The thing has changed or the name is taken."""

    code = "conflict"
    status = 409
    title = "Conflict"


class WrongState(Conflict):
    """What was asked does not fit the state that the job or item is in."""

    code = "wrong_state"
    title = "Not possible any more"


class PriceChanged(Conflict):
    """The price is not the one that the buyer saw; nothing was taken."""

    code = "price_changed"
    title = "The price has changed"

    def __init__(self, price: int) -> None:
        super().__init__(
            f"The price is {price} tokens now. Nothing was taken; look, and confirm it again.", price=price
        )


class TooMany(Refused):
    """A limit on how often or how much at once."""

    code = "too_many"
    status = 429
    title = "Too much at once"


class Unavailable(Refused):
    """A part that is needed is down or full; the same request works later."""

    code = "unavailable"
    status = 503
    title = "Not available right now"


class StaleFence(Exception):
    """A worker wrote with a fence that is no longer the newest: another worker has the job. Never shown to people."""
