"""What the driver says, in sentences that name no secret and say what to do."""

from pymongo.errors import (
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from mutoscope.store.port import StoreUnavailable

_SIGN_IN = (
    "user or password in MONGODB_URI is wrong, or the account is kept in another database (name it: authSource=admin)"
)
_BY_CODE = {
    13: "the account in MONGODB_URI may not do this: give it the role readWrite on this database",
    18: _SIGN_IN,
    50: "it took too long",
    112: "other changes of the same records kept coming in between; try again",
    8000: _SIGN_IN,
    14031: "its disk is full",
}
"""By https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml; 8000 is what Atlas says."""


def unavailable(error: PyMongoError) -> StoreUnavailable:
    """The port's exception for one of the driver's."""
    if error.has_error_label("UnknownTransactionCommitResult"):
        failure = StoreUnavailable(
            "MongoDB stopped answering while it committed. Look whether it was done, then repeat it."
        )
    else:
        failure = StoreUnavailable(f"MongoDB did not do it: {reason(error)}. Nothing was changed.")
    failure.__cause__ = error
    return failure


def reason(error: PyMongoError) -> str:
    """Why, in a few words."""
    if isinstance(error, ServerSelectionTimeoutError):
        return "no primary can be reached"
    if isinstance(error, OperationFailure):
        name = (error.details or {}).get("codeName", f"error {error.code}")
        return _BY_CODE.get(error.code or 0, f"{name}")
    if isinstance(error, ConnectionFailure | ExecutionTimeout) or error.timeout:
        return "the connection broke, or it did not answer in time"
    return type(error).__name__
