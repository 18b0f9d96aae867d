"""Opening MongoDB: whatever is wrong is said in one sentence, in time, with what to do and without the password."""

import asyncio
import gc
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cast
import journey
from mutoscope.store.mongo import load_mongo, open_mongo, opening
from mutoscope.store.mongo.engine import PREFIX
from mutoscope.store.mongo.migrations import STEPS
from mutoscope.store.port import Store, StoreUnavailable
from mutoscope.store.sqlite.portable import SqliteCopies
from servers.mongod import SET, Databases, Member, ReplicaSet
from servers.old_mongod import OldMongod
from servers.s3 import free_port

PASSWORD = "correct%2Fhorse"
"""As it stands in an address."""
SOON = "serverSelectionTimeoutMS=700"
MARGIN_S = 15.0
"""What a slow machine may take longer; the driver by itself would take 30 s."""

# The driver leaves a socket to the garbage collector when it is told to close while it connects
# (`_async_create_connection` closes it after an OSError, and a cancellation is none).
pytestmark = pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def left_sockets_are_let_go_here() -> Iterator[None]:
    """And not in the middle of some other test, which would be blamed for them."""
    yield
    gc.collect()


async def opened(uri: str) -> Store:
    return await open_mongo(uri, cast.HandClock(), SqliteCopies())


async def refusal(uri: str, within_s: float = MARGIN_S) -> str:
    """What is said instead of opening it; whatever it was, nothing goes on running and nobody sees the password."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as refused:
        await opened(uri)
    assert time.monotonic() - began < within_s
    said = "".join(traceback.format_exception(refused.value))
    assert PASSWORD not in said
    assert PASSWORD.replace("%2F", "/") not in said
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return str(refused.value)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    """A standalone server."""
    member = Member(tmp_path_factory.mktemp("alone"), extra=())
    member.start()
    yield member
    member.kill()


@pytest.mark.parametrize("options", ["", "&replicaSet=rs0", "&directConnection=true"])
async def test_a_standalone_server_is_refused_with_the_commands_that_make_it_a_set(alone: Member, options: str) -> None:
    said = await refusal(f"mongodb://{alone.address}/?{SOON}{options}")
    assert f"{alone.address} is a standalone server" in said
    assert "mongod with --replSet rs0" in said
    assert "mongosh --eval 'rs.initiate()'" in said


@pytest.mark.parametrize("options", ["", "&replicaSet=rs0", "&directConnection=true"])
async def test_a_set_that_was_never_begun_is_told_how_to_begin(tmp_path: Path, options: str) -> None:
    member = Member(tmp_path)
    member.start()
    try:
        said = await refusal(f"mongodb://{member.address}/?{SOON}{options}")
        assert "never begun: once run mongosh --eval 'rs.initiate()'" in said
    finally:
        member.kill()


async def test_where_nobody_listens_it_is_said_where_and_how_long_it_takes_is_bounded() -> None:
    port = free_port()
    # With our own numbers: five seconds of looking for a primary, and one to ask why there is none.
    said = await refusal(f"mongodb://alice:{PASSWORD}@127.0.0.1:{port}/", within_s=6 + MARGIN_S)
    assert f"No MongoDB answers at 127.0.0.1:{port}" in said


async def test_a_server_that_accepts_and_is_silent_is_given_up_in_time(tmp_path: Path) -> None:
    running = ReplicaSet(tmp_path)
    running.start()
    try:
        running.members[0].pause()
        said = await refusal(running.uri(serverSelectionTimeoutMS=700))
        assert "No MongoDB answers" in said
    finally:
        running.stop()


@pytest.mark.parametrize(("options", "words"), [("", "has no primary"), ("&directConnection=true", "not the primary")])
async def test_a_set_without_a_primary_is_named(tmp_path: Path, options: str, words: str) -> None:
    running = ReplicaSet(tmp_path)
    running.start()
    try:
        with running.members[0].client() as client:
            client.admin.command({"replSetStepDown": 60, "force": True})
        said = await refusal(f"mongodb://{running.members[0].address}/?{SOON}{options}")
        assert words in said
        assert "rs.status()" in said
    finally:
        running.stop()


async def test_another_set_than_the_address_names_is_told(mongod: ReplicaSet) -> None:
    said = await refusal(f"mongodb://{mongod.members[0].address}/?{SOON}&replicaSet=other")
    assert "replica set rs0" in said
    assert "not the one that MONGODB_URI names" in said


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "http://127.0.0.1/",
        "mongodb://",
        "mongodb://127.0.0.1:99999/",
        "mongodb://127.0.0.1/a b",
        "mongodb://127.0.0.1/?replicaSet",
        "mongodb://127.0.0.1/?tls=perhaps",
        "mongodb://127.0.0.1/?repliccaSet=rs0",
        "mongodb://127.0.0.1/?tls=true&tlsCAFile=/not/there",
        "mongodb://127.0.0.1,localhost/?directConnection=true",
        *(f"mongodb://alice:correct{letter}horse@127.0.0.1/" for letter in "@:/?%"),
        "mongodb://alice:1/correct/horse@127.0.0.1",
    ],
)
async def test_what_is_no_address_is_told_the_form_of_one(uri: str) -> None:
    said = await refusal(uri)
    assert "MONGODB_URI cannot be used" in said
    assert "mongodb://user:password@host:27017/database?replicaSet=rs0" in said
    assert "horse" not in said


@pytest.mark.parametrize("letter", ["#", "[", "]", "℀", ";", "&"])
async def test_a_password_that_the_driver_takes_as_it_is_spoils_no_option(letter: str) -> None:
    began = time.monotonic()
    said = await refusal(f"mongodb://alice:correct{letter}horse@127.0.0.1:{free_port()}/?{SOON}")
    assert "No MongoDB answers" in said
    assert "horse" not in said
    assert time.monotonic() - began < MARGIN_S


async def test_a_name_that_dns_does_not_know_is_told() -> None:
    # `.invalid` is no name anywhere: RFC 2606.
    said = await refusal(f"mongodb+srv://alice:{PASSWORD}@nowhere.invalid/?connectTimeoutMS=700")
    assert "MONGODB_URI cannot be used" in said
    assert "nowhere.invalid" in said or "DNS" in said


@pytest.mark.parametrize(
    ("version", "wire_version", "words"),
    [("4.4.29", 9, "MongoDB 4.4.29 is too old: take 5.0 or newer"), ("3.6.23", 6, "wire version 6")],
)
async def test_an_old_server_is_refused(version: str, wire_version: int, words: str) -> None:
    """There is none to be had: a socket that says what one of that version says (see `servers.old_mongod`)."""
    with OldMongod(version, wire_version) as old:
        assert words in await refusal(f"mongodb://{old.address}/?{SOON}")


@pytest.fixture
def name(databases: Databases) -> Iterator[str]:
    name = databases.take()
    yield name
    databases.give_back(name)


async def test_a_database_of_a_newer_release_is_left_alone(mongod: ReplicaSet, name: str) -> None:
    store = await opened(mongod.uri(name))
    await store.close()
    with mongod.members[0].client() as client:
        schema = client[name][PREFIX + "schema"]
        before = schema.find_one_and_update({}, {"$inc": {"version": 1}})
        try:
            said = await refusal(mongod.uri(name))
            newest = max(STEPS)
            assert f"newer release of Mutoscope (schema {newest + 1}, this one knows {newest}). Start the newer" in said
        finally:
            schema.replace_one({}, before or {})


async def test_half_of_a_backup_is_not_opened(mongod: ReplicaSet, name: str) -> None:
    async def break_off() -> None:
        raise RuntimeError("the bucket is gone")

    with pytest.raises(RuntimeError, match="the bucket is gone"):
        await load_mongo(mongod.uri(name), cast.HandClock(), [[cast.alice()]], break_off)
    assert "half of a backup: run mutoscope restore again" in await refusal(mongod.uri(name))
    with mongod.members[0].client() as client:
        client[name][PREFIX + "counters"].delete_one({"_id": "loading"})


async def test_options_in_the_address_win_over_ours(mongod: ReplicaSet, name: str) -> None:
    given = {"appName": "site", "socketTimeoutMS": 1234, "retryWrites": "false", "SERVERSELECTIONTIMEOUTMS": 2345}
    client = opening.client_for(mongod.uri(name, **given))
    options = client.options
    assert options.pool_options.appname == "site"
    assert options.pool_options.socket_timeout == 1.234
    assert options.pool_options.connect_timeout == opening.OPTIONS["connectTimeoutMS"] / 1000
    assert options.server_selection_timeout == 2.345
    assert options.retry_writes is False
    await client.close()


@pytest.mark.parametrize(
    "options", [{"readPreference": "secondaryPreferred"}, {"w": 1, "journal": "false"}, {"readConcernLevel": "local"}]
)
async def test_what_an_address_says_of_reading_and_writing_weakens_nothing(
    mongod: ReplicaSet, name: str, options: dict[str, Any]
) -> None:
    store = await opened(mongod.uri(name, **options))
    alice = await journey.join(store, cast.alice())
    await journey.published(store, alice)
    assert await store.ledger.proof() == []
    with mongod.members[0].client() as client:
        assert client[name][PREFIX + "people"].count_documents({}) == 1
    await store.close()


async def test_other_collections_in_the_same_database_are_left_alone(mongod: ReplicaSet) -> None:
    with mongod.members[0].client() as client:
        site = client["site"]
        site["users"].insert_one({"_id": 1, "email": "alice@example.org"})
        site["users"].create_index("email", unique=True)
        site["media"].insert_many([{"_id": n, "terms": ["fog"]} for n in range(10)])
        before = [(list(site[name].find()), site[name].index_information()) for name in ("users", "media")]
        store = await opened(mongod.uri("site"))
        await journey.published(store, await journey.join(store, cast.alice()))
        await store.close()
        after = [(list(site[name].find()), site[name].index_information()) for name in ("users", "media")]
        assert after == before
        ours = set(site.list_collection_names()) - {"users", "media"}
        assert all(name.startswith(PREFIX) for name in ours)
        client.drop_database("site")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The host and port of a set that asks for passwords. carol administers it; alice may write, bob read, dora nothing."""
    folder = tmp_path_factory.mktemp("guarded")
    key = folder / "key"
    key.write_text("a" * 64)
    key.chmod(0o600)
    member = Member(folder / "data", extra=("--replSet", SET, "--auth", "--keyFile", str(key)))
    member.start()
    with member.client() as client:
        # Before there is a user, whoever comes from the machine itself may do this.
        config = {"_id": SET, "members": [{"_id": 0, "host": member.address}]}
        client.admin.command("replSetInitiate", config)
        while not client.admin.command("hello").get("isWritablePrimary"):
            time.sleep(0.02)
        client.admin.command("createUser", "carol", pwd="administers", roles=["root"])
    with member.client(username="carol", password="administers") as client:
        password = PASSWORD.replace("%2F", "/")
        for user, roles in (("alice", ["readWrite"]), ("bob", ["read"]), ("dora", [])):
            given: list[dict[str, str]] = [{"role": role, "db": "mutoscope"} for role in roles]
            client.admin.command("createUser", user, pwd=password, roles=given)
    yield member.address
    member.kill()


def signed_in(guarded: str, user: str, password: str = PASSWORD, options: str = "authSource=admin") -> str:
    return f"mongodb://{user}:{password}@{guarded}/mutoscope?{SOON}&{options}"


@pytest.mark.parametrize(
    ("user", "password", "options"),
    [
        ("alice", "wrong", "authSource=admin"),
        ("nobody", PASSWORD, "authSource=admin"),
        ("alice", PASSWORD, "replicaSet=rs0"),  # the account is not in the database that the address names
    ],
)
async def test_a_wrong_name_or_password_is_told(guarded: str, user: str, password: str, options: str) -> None:
    said = await refusal(signed_in(guarded, user, password, options))
    assert "user or password in MONGODB_URI is wrong" in said
    assert "authSource=admin" in said


async def test_an_account_needs_the_right_to_write(guarded: str) -> None:
    rights = "give it the role readWrite on this database"
    assert rights in await refusal(signed_in(guarded, "dora"))
    assert rights in await refusal(signed_in(guarded, "bob"))
    assert rights in await refusal(f"mongodb://{guarded}/mutoscope?{SOON}")
    store = await opened(signed_in(guarded, "alice"))
    await journey.published(store, await journey.join(store, cast.alice()))
    assert await store.ledger.proof() == []
    assert "replica set rs0, database mutoscope" in await store.check()
    await store.close()
    # Who may read gets further now: the collections are there.
    assert rights in await refusal(signed_in(guarded, "bob"))
