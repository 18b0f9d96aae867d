"""What only the embedded store promises: group commit, one owner, migrations with a copy, life after a full disk."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import cast
import journey
from cast import NOON
from mutoscope.domain import search
from mutoscope.domain.events import to_person
from mutoscope.domain.generation import State
from mutoscope.domain.ids import SystemClock
from mutoscope.domain.media import Previews
from mutoscope.store.port import StoreUnavailable
from mutoscope.store.sqlite import open_sqlite, schema
from mutoscope.store.sqlite.engine import Engine


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = await asyncio.to_thread(Engine, tmp_path / "engine.db", cast.HandClock())
    engine.start(lambda _: 0, lambda _: None)
    await engine.write(lambda c: c.execute("CREATE TABLE notes (text TEXT UNIQUE) STRICT").close())
    yield engine
    await engine.close()


def note(text: str):
    return lambda c: c.execute("INSERT INTO notes VALUES (?)", (text,)).close()


def notes(c: sqlite3.Connection) -> list[str]:
    return [row[0] for row in c.execute("SELECT text FROM notes ORDER BY rowid")]


async def test_many_writes_share_a_commit(engine: Engine) -> None:
    commits: list[str] = []
    await engine.write(lambda c: c.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None))
    before = len(commits)
    await asyncio.gather(*(engine.write(note(f"note {n}")) for n in range(300)))
    assert await engine.read(notes) == [f"note {n}" for n in range(300)]
    assert 1 <= len(commits) - before < 300


async def test_a_write_that_fails_undoes_itself_and_no_other_of_its_commit(engine: Engine) -> None:
    def half(c: sqlite3.Connection) -> None:
        note("half")(c)
        raise ValueError("changed my mind")

    answers = await asyncio.gather(
        engine.write(note("one")),
        engine.write(half),
        engine.write(note("one")),
        engine.write(note("two")),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [type(None), ValueError, StoreUnavailable, type(None)]
    assert await engine.read(notes) == ["one", "two"]


async def test_an_answer_comes_only_after_the_commit(engine: Engine) -> None:
    with closing(sqlite3.connect(engine.path)) as other:
        for n in range(50):
            await engine.write(note(f"note {n}"))
            assert len(notes(other)) == n + 1


async def test_a_commit_that_fails_fails_every_write_in_it_and_the_writer_lives_on(engine: Engine) -> None:
    def lose_the_transaction(c: sqlite3.Connection) -> None:
        c.execute("ROLLBACK")  # as SQLite itself does when the disk fails under a statement
        raise sqlite3.OperationalError("disk I/O error")

    answers = await asyncio.gather(
        *(engine.write(work) for work in (note("one"), lose_the_transaction, note("two"))), return_exceptions=True
    )
    assert all(isinstance(answer, StoreUnavailable) for answer in answers[:2])
    assert await engine.read(notes) == (["two"] if answers[2] is None else [])
    await engine.write(note("three"))
    assert "three" in await engine.read(notes)


async def test_a_commit_that_is_refused_leaves_no_transaction_behind(engine: Engine) -> None:
    await engine.write(
        lambda c: c.execute("CREATE TABLE pages (note REFERENCES notes (text) DEFERRABLE INITIALLY DEFERRED)").close()
    )
    with pytest.raises(StoreUnavailable, match="FOREIGN KEY"):  # found out by COMMIT, which leaves it open
        await engine.write(lambda c: c.execute("INSERT INTO pages VALUES ('nowhere')").close())
    await engine.write(note("next"))
    assert await engine.read(notes) == ["next"]


async def test_a_caller_who_went_away_does_not_stop_the_writer(engine: Engine) -> None:
    gone = asyncio.create_task(engine.write(note("gone")))
    await asyncio.sleep(0)
    gone.cancel()
    await engine.write(note("here"))
    assert "here" in await engine.read(notes)


async def test_readers_cannot_write(engine: Engine) -> None:
    with pytest.raises(StoreUnavailable, match="readonly"):
        await engine.read(note("from a reader"))
    assert await engine.read(notes) == []


async def test_the_file_is_durable_private_and_checks_its_references(engine: Engine) -> None:
    settings = await engine.write(
        lambda c: [
            c.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    )
    assert settings == ["wal", 2, 1]
    assert {path.stat().st_mode & 0o777 for path in engine.path.parent.glob("engine.db*")} == {0o600}


async def test_a_second_owner_is_told_who_has_the_file(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "mutoscope.db", SystemClock())
    with pytest.raises(StoreUnavailable, match=f"process {os.getpid()}"):
        await open_sqlite(tmp_path / "mutoscope.db", SystemClock())
    await store.close()
    again = await open_sqlite(tmp_path / "mutoscope.db", SystemClock())
    await again.close()


async def test_what_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "mutoscope.db"
    file.write_bytes(b"a letter to my mother " * 100)
    with pytest.raises(StoreUnavailable):
        await open_sqlite(file, SystemClock())
    assert file.read_bytes() == b"a letter to my mother " * 100


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="nowhere"):
        await open_sqlite(tmp_path / "nowhere" / "mutoscope.db", SystemClock())


async def test_a_backup_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "mutoscope.db", SystemClock())
    with pytest.raises(StoreUnavailable, match="nowhere"):
        await store.backup(tmp_path / "nowhere" / "copy.db")
    await store.close()


async def test_what_a_closed_store_kept_is_there_when_it_opens_again(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "mutoscope.db", cast.HandClock())
    alice = await journey.join(store, cast.alice())
    [item] = await journey.published(store, alice)
    cursor = await store.events.head()
    await store.close()
    store = await open_sqlite(tmp_path / "mutoscope.db", cast.HandClock())
    assert await store.media.get(item.id) == item
    assert await store.events.after(cursor, [to_person(alice.id)], 1) == ([], cursor)
    await store.close()


async def test_leases_of_former_processes_are_void_when_the_file_is_opened(tmp_path: Path) -> None:
    clock = cast.HandClock()
    store = await open_sqlite(tmp_path / "mutoscope.db", clock)
    alice = await journey.join(store, cast.alice())
    await journey.published(store, alice, previews=Previews.PENDING)
    assert await store.media.claim_previews("w", NOON, NOON + 10**9)
    job = await journey.at(store, alice, State.RENDERING)
    await store.generations.renew(job.id, job.fence, NOON + 10**9)
    await store.close()
    store = await open_sqlite(tmp_path / "mutoscope.db", clock)
    assert await store.generations.next_due(journey.ALL) == NOON
    assert (await journey.claim(store)).fence == job.fence + 1
    assert await store.media.claim_previews("w", NOON, NOON + 1)
    await store.close()


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The migrations of a later release: ours, and one more."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    for file in schema.MIGRATIONS.glob("*.sql"):
        (folder / file.name).write_text(file.read_text())
    (folder / "9001_more.sql").write_text("CREATE TABLE more (x INTEGER) STRICT;")
    return folder


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


async def full_store(path: Path) -> None:
    store = await open_sqlite(path, cast.HandClock())
    await journey.published(store, await journey.join(store, cast.alice()))
    await store.close()


async def test_a_migration_keeps_a_copy_of_what_was_there(tmp_path: Path, newer: Path) -> None:
    path = tmp_path / "mutoscope.db"
    await full_store(path)
    now = version(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        schema.migrate(connection, path, newer)
        schema.migrate(connection, path, newer)
    copy = tmp_path / "mutoscope.db.before-9001"
    assert (version(path), version(copy)) == (9001, now)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM media").fetchone() == (1,)
    assert "mutoscope.db.before-9001.part" not in os.listdir(tmp_path)


async def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path, newer: Path) -> None:
    path = tmp_path / "mutoscope.db"
    await full_store(path)
    now = version(path)
    (newer / "9001_more.sql").write_text("CREATE TABLE more (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1);")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection, pytest.raises(sqlite3.OperationalError):
        schema.migrate(connection, path, newer)
    assert version(path) == now
    store = await open_sqlite(path, cast.HandClock())
    assert (await store.stats.totals()).items == 1
    await store.close()


async def test_a_new_file_needs_no_copy(tmp_path: Path) -> None:
    await full_store(tmp_path / "mutoscope.db")
    assert sorted(os.listdir(tmp_path)) == ["mutoscope.db", "mutoscope.db.lock"]


async def test_a_file_of_a_newer_release_is_refused(tmp_path: Path, newer: Path) -> None:
    path = tmp_path / "mutoscope.db"
    await full_store(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        schema.migrate(connection, path, newer)
    with pytest.raises(StoreUnavailable, match="newer release"):
        await open_sqlite(path, cast.HandClock())


async def test_a_backup_taken_under_load_is_whole_and_adds_up(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "mutoscope.db", cast.HandClock())
    alice = await journey.join(store, cast.alice(), tokens=100_000)
    for _ in range(20):
        await journey.published(store, alice)
    stop = asyncio.Event()

    async def work() -> int:
        made = 0
        while not stop.is_set():
            await journey.accept(store, alice, price_each=1)
            made += 1
        return made

    working = [asyncio.create_task(work()) for _ in range(4)]
    await store.backup(tmp_path / "copy.db")
    stop.set()
    assert sum(await asyncio.gather(*working)) > 0
    await store.close()
    assert {name for name in os.listdir(tmp_path) if name.startswith("copy")} == {"copy.db"}
    copy = await open_sqlite(tmp_path / "copy.db", cast.HandClock())
    assert await copy.ledger.proof() == []
    assert len((await copy.media.search(search.GALLERY, search.Query(), False, None, 50)).items) == 20
    await copy.close()


async def test_a_restored_backup_asks_listeners_of_its_lost_future_to_read_again(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "mutoscope.db", cast.HandClock())
    alice = await journey.join(store, cast.alice())
    before = await store.events.head()
    await store.backup(tmp_path / "copy.db")
    await store.ledger.post(cast.grant(alice, 1))
    lost = await store.events.head()
    await store.close()
    restored = await open_sqlite(tmp_path / "copy.db", cast.HandClock())
    assert await restored.events.after(lost, [to_person(alice.id)], 10) is None
    await restored.ledger.post(cast.grant(alice, 1))
    assert await restored.events.after(lost, [to_person(alice.id)], 10) is None
    assert await restored.events.after(before, [to_person(alice.id)], 10) is not None
    await restored.close()


async def test_entries_cannot_be_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "mutoscope.db"
    await full_store(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in ("UPDATE entries SET amount = amount + 1", "DELETE FROM entries"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("UPDATE balances SET available = -1")


DAMAGE = {
    "a cached balance": "UPDATE balances SET available = available + 1",
    "tokens held for nothing": "UPDATE balances SET available = available - 1, held = held + 1",
    "a hold of a job that has ended": "UPDATE holds SET captured = NULL",
    "a hold settled under a running job": "UPDATE generations SET state = 'rendering', document = json_set(document, '$.captured', NULL)",
    "another amount on the job": "UPDATE generations SET document = json_set(document, '$.captured', 9)",
    "another amount on the hold": "UPDATE holds SET captured = 9",
    "an entry that is gone": "DROP TRIGGER entries_are_not_deleted; DELETE FROM entries WHERE kind = 'capture'",
    "a hold that is gone": "UPDATE generations SET state = 'queued', document = json_set(document, '$.captured', NULL); DELETE FROM holds",
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_the_proof_finds_damage(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "mutoscope.db"
    await full_store(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(DAMAGE[damage])
    store = await open_sqlite(path, cast.HandClock())
    assert await store.ledger.proof() != []
    await store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Four megabytes of disk."""
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts a small tmpfs to fill it")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


async def test_a_full_disk_loses_nothing_and_the_store_goes_on_by_itself(small_disk: Path) -> None:
    store = await open_sqlite(small_disk / "mutoscope.db", cast.HandClock())
    alice = await journey.join(store, cast.alice(), tokens=100_000)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_500_000))
    kept: list[str] = []
    refused = 0
    while refused < 5:
        answers = await asyncio.gather(
            *(journey.accept(store, alice, prompt="x" * 5_000) for _ in range(20)), return_exceptions=True
        )
        refused += sum(isinstance(answer, StoreUnavailable) for answer in answers)
        kept += [answer.id for answer in answers if not isinstance(answer, BaseException)]
        assert len(kept) < 2_000
    assert (await store.ledger.balance(alice.id)).held == 10 * len(kept)
    ballast.unlink()
    kept.append((await journey.accept(store, alice)).id)
    assert await store.ledger.proof() == []
    await store.close()
    store = await open_sqlite(small_disk / "mutoscope.db", cast.HandClock())
    assert all([await store.generations.get(id) for id in kept])
    assert (await store.stats.totals()).generations[State.QUEUED] == len(kept)
    await store.close()


VICTIM = """
import asyncio, sys
from pathlib import Path
import cast, journey
from mutoscope.store.sqlite import open_sqlite

async def write():
    store = await open_sqlite(Path(sys.argv[1]), cast.HandClock())
    alice = await journey.join(store, cast.alice(), tokens=1_000_000)
    print(alice.id, flush=True)
    async def accept():
        while True:
            job = await journey.accept(store, alice, price_each=1)
            print(job.id, flush=True)
    await asyncio.gather(*(accept() for _ in range(8)))

asyncio.run(write())
"""


def killed_while_writing(path: Path, writes: int) -> tuple[str, list[str]]:
    """Let a child write, kill it after so many acknowledged writes; whose jobs, and which were acknowledged."""
    places = {"PYTHONPATH": os.pathsep.join(place for place in sys.path if place)}
    command = [sys.executable, "-c", VICTIM, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | places) as victim:
        assert victim.stdout is not None
        owner = victim.stdout.readline().strip()
        said = [victim.stdout.readline() for _ in range(writes)]
        victim.send_signal(signal.SIGKILL)
        said += victim.stdout.readlines()
    return owner, [line.strip() for line in said if line.endswith("\n")]


@pytest.mark.parametrize("writes", [1, 40, 400])
async def test_every_acknowledged_write_survives_a_kill(tmp_path: Path, writes: int) -> None:
    path = tmp_path / "mutoscope.db"
    alice, acknowledged = await asyncio.to_thread(killed_while_writing, path, writes)
    assert len(acknowledged) >= writes
    store = await open_sqlite(path, cast.HandClock())
    assert all([await store.generations.get(id) for id in acknowledged])
    assert (await store.ledger.balance(alice)).held >= len(acknowledged)
    assert await store.ledger.proof() == []
    await store.close()
