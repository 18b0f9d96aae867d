"""Opening the database: what is wrong with it is said in one sentence, with what to do."""

import re
import warnings
from collections.abc import Mapping
from typing import Any, NoReturn

from pymongo import AsyncMongoClient
from pymongo.errors import (
    ConfigurationError,
    InvalidName,
    InvalidURI,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from mutoscope.store.mongo.engine import Document
from mutoscope.store.mongo.refusals import reason
from mutoscope.store.port import StoreUnavailable

DATABASE = "mutoscope"
"""The database when the address names none."""
OLDEST = (5, 0)
OPTIONS: Mapping[str, Any] = {
    "appname": "mutoscope",
    "retryWrites": True,
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 5_000,
    "socketTimeoutMS": 20_000,
    "heartbeatFrequencyMS": 5_000,
}
"""What holds unless the address says otherwise. Without an end to waiting, a connection that is half open waits for ever."""
FORM = (
    "mongodb://user:password@host:27017/database?replicaSet=rs0, with special letters of the password percent-encoded"
)
SINGLE_NODE = (
    "Transactions need a replica set, and one member is enough: start mongod with --replSet rs0, and once run "
    "mongosh --eval 'rs.initiate()'."
)


def client_for(uri: str) -> AsyncMongoClient[Document]:
    """A client, not connected yet. Raises StoreUnavailable for what is no address; the address is not repeated."""
    # As the driver splits it: `urllib` reads other things into a password that was not encoded.
    given = {option.partition("=")[0].lower() for option in re.split("[&;]", uri.partition("?")[2])}
    options = {name: value for name, value in OPTIONS.items() if name.lower() not in given}
    try:
        with warnings.catch_warnings():
            # Of an option that it does not know, or whose value it cannot read, the driver only warns.
            warnings.simplefilter("error", UserWarning)
            client = AsyncMongoClient[Document](uri, **options)
        if "@" in database_of(client):
            raise InvalidURI("a slash in the password made the rest of the address a database")
    except UserWarning:
        why = "an option, or the value of one, is not known"
    except OSError:
        why = "a file that it names cannot be read"
    except (InvalidURI, ConfigurationError, InvalidName, ValueError, TypeError) as error:
        why = type(error).__name__
    else:
        return client
    raise StoreUnavailable(f"MONGODB_URI cannot be used ({why}). Its form is {FORM}.")


def database_of(client: AsyncMongoClient[Document]) -> str:
    """The name of the database that the address names."""
    return client.get_default_database(DATABASE).name


async def check(client: AsyncMongoClient[Document]) -> str:
    """What it is, in a few words. Raises StoreUnavailable unless it can serve us."""
    try:
        hello = await client.admin.command("hello")
        if refusal := _refusal(hello, _hosts(client)):
            raise StoreUnavailable(refusal)
        version = str((await client.admin.command("buildInfo"))["version"])
        await client[database_of(client)].command({"find": "mutoscope_schema", "limit": 1})
    except ServerSelectionTimeoutError as error:
        await _diagnose(client, error)
    except ConfigurationError as error:  # DNS does not know the name, or the driver not the version
        raise StoreUnavailable(f"MONGODB_URI cannot be used: {error}") from error
    except PyMongoError as error:
        raise StoreUnavailable(f"MongoDB cannot be used: {reason(error)}.") from error
    if not hello.get("isWritablePrimary"):
        raise StoreUnavailable(
            f"The MongoDB at {_hosts(client)} is not the primary of its replica set: leave directConnection out of "
            "MONGODB_URI, or look at rs.status()."
        )
    if tuple(map(int, version.split(".")[:2])) < OLDEST:
        raise StoreUnavailable(f"MongoDB {version} is too old: take {OLDEST[0]}.{OLDEST[1]} or newer.")
    return f"MongoDB {version}, " + (f"replica set {hello['setName']}" if "setName" in hello else "sharded")


def _refusal(hello: Document, where: str) -> str | None:
    """Why a server that says this of itself can never serve us as it was started."""
    if hello.get("isreplicaset"):
        return (
            f"The MongoDB at {where} was started for a replica set that was never begun: "
            "once run mongosh --eval 'rs.initiate()'."
        )
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        return f"The MongoDB at {where} is a standalone server. {SINGLE_NODE}"
    return None


async def _diagnose(client: AsyncMongoClient[Document], error: PyMongoError) -> NoReturn:
    """No primary was found: ask each server by itself what it is."""
    for host, port in _seeds(client):
        alone: AsyncMongoClient[Document] = AsyncMongoClient(
            host, port, directConnection=True, serverSelectionTimeoutMS=1_000, connectTimeoutMS=1_000
        )
        try:
            hello = await alone.admin.command("hello")
        except PyMongoError:
            continue
        finally:
            await alone.close()
        raise StoreUnavailable(
            _refusal(hello, f"{host}:{port}")
            or f"The replica set {hello.get('setName')} of MongoDB has no primary, or is not the one that MONGODB_URI names: "
            "look at rs.status(), and whether its members are reached by the names that it lists."
        ) from error
    raise StoreUnavailable(
        f"No MongoDB answers at {_hosts(client)}: look whether it runs, and whether this machine may connect to it."
    ) from error


def _seeds(client: AsyncMongoClient[Document]) -> list[tuple[str, int]]:
    return [(host, port) for host, port in client._topology_settings.seeds if port]  # pyright: ignore[reportPrivateUsage]


def _hosts(client: AsyncMongoClient[Document]) -> str:
    return ", ".join(f"{host}:{port}" for host, port in sorted(_seeds(client)))
