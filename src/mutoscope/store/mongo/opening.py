"""Opening the database: what is wrong with it is said in one sentence, with what to do."""

from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qs, urlsplit

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
    given = {name.lower() for name in parse_qs(urlsplit(uri).query)}
    options = {name: value for name, value in OPTIONS.items() if name.lower() not in given}
    try:
        return AsyncMongoClient(uri, **options)
    except (InvalidURI, ConfigurationError, InvalidName, ValueError, TypeError) as error:
        raise StoreUnavailable(f"MONGODB_URI cannot be used ({type(error).__name__}). Its form is {FORM}.") from None


def database_of(client: AsyncMongoClient[Document]) -> str:
    """The name of the database that the address names."""
    return client.get_default_database(DATABASE).name


async def check(client: AsyncMongoClient[Document]) -> str:
    """What it is, in a few words. Raises StoreUnavailable unless it can serve us."""
    try:
        hello = await client.admin.command("hello")
        version = str((await client.admin.command("buildInfo"))["version"])
        await client[database_of(client)].command({"find": "mutoscope_schema", "limit": 1})
    except ServerSelectionTimeoutError as error:
        await _diagnose(client, error)
    except PyMongoError as error:
        raise StoreUnavailable(f"MongoDB cannot be used: {reason(error)}.") from error
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StoreUnavailable(f"The MongoDB at {_hosts(client)} is a standalone server. {SINGLE_NODE}")
    if tuple(map(int, version.split(".")[:2])) < OLDEST:
        raise StoreUnavailable(f"MongoDB {version} is too old: take {OLDEST[0]}.{OLDEST[1]} or newer.")
    return f"MongoDB {version}, " + (f"replica set {hello['setName']}" if "setName" in hello else "sharded")


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
        if hello.get("isreplicaset"):
            raise StoreUnavailable(
                f"The MongoDB at {host}:{port} was started for a replica set that was never begun: "
                "once run mongosh --eval 'rs.initiate()'."
            ) from error
        if "setName" in hello:
            raise StoreUnavailable(
                f"The replica set {hello['setName']} of MongoDB has no primary, or is not the one that MONGODB_URI names: "
                "look at rs.status(), and whether its members are reached by the names that it lists."
            ) from error
    raise StoreUnavailable(
        f"No MongoDB answers at {_hosts(client)}: look whether it runs, and whether this machine may connect to it."
    ) from error


def _seeds(client: AsyncMongoClient[Document]) -> list[tuple[str, int]]:
    return [(host, port) for host, port in client._topology_settings.seeds if port]  # pyright: ignore[reportPrivateUsage]


def _hosts(client: AsyncMongoClient[Document]) -> str:
    return ", ".join(f"{host}:{port}" for host, port in sorted(_seeds(client)))
