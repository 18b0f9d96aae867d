"""What the counting stub remembers, durably: jobs, how they are to behave, and how often it was asked and paid."""

import sqlite3
import time
import uuid
from pathlib import Path
from typing import Any

import msgspec


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """How a job behaves. Counts of times are per reference, and per output for bodies; -1 is always."""

    submit: str = "take"
    """take, at_once, refuse, moderate, unauthorized, credit, retired, rate_limit, busy, drop_before, drop_after, strange,
    see_other (takes it, and says where to look)"""
    submit_times: int = -1
    retry_after_s: float | None = None
    submit_delay_s: float = 0.0
    finish_after_s: float = 0.0
    end: str = "finish"
    """finish, fail, moderate, never, cancel"""
    outputs: int | None = None
    """How many results there are, when it is not as many as were asked for."""
    body: str = "right"
    """right, large, cut, wrong_length, wrong_type, silent, error, expired, other_kind"""
    body_times: int = 1
    poll: str = "right"
    """right, busy, rate_limit, unauthorized, lost (it knows nothing of the job any more), word (a status that nobody knows),
    page_400, page_404, page_422 (a page of something on the way to it)"""
    poll_times: int = 1
    progress: tuple[float, ...] = ()
    """What is said at each poll in turn, instead of the time that has passed."""
    cancel: str = "stop"
    """stop, busy, finish_first, ignore, late (says canceled and finishes all the same)"""
    cancel_times: int = -1
    manner: str = ""
    """Another manner of the vendor's, where it has several: json (a result inside JSON, asked for or not)"""
    account: str = "right"
    """right, unauthorized, credit, busy: what is said of the key, not of a job"""


class Answer(Exception):
    """An answer, from wherever it is found. ``body`` None closes the connection without a word."""

    def __init__(self, status: int, body: Any, **headers: str) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers


class Book:
    """What the stub remembers, durably."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "stub.sqlite", isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            "CREATE TABLE IF NOT EXISTS asked (reference TEXT);"
            "CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, reference TEXT, key TEXT, kind TEXT, results INTEGER,"
            " script TEXT, since REAL, canceled INTEGER DEFAULT 0);"
            "CREATE TABLE IF NOT EXISTS times (what TEXT PRIMARY KEY, n INTEGER);"
            "CREATE TABLE IF NOT EXISTS script (reference TEXT PRIMARY KEY, script TEXT);"
        )

    def close(self) -> None:
        self._db.close()

    def ask(self, reference: str) -> None:
        self._db.execute("INSERT INTO asked VALUES (?)", (reference,))

    def take(self, order: dict[str, Any], key: str | None, script: Script) -> str:
        """Take a job: from here on it is paid for."""
        row = self._db.execute("SELECT id FROM jobs WHERE key = ?", (key,)).fetchone() if key else None
        if row:
            return row[0]
        id = uuid.uuid4().hex
        values = (id, order["reference"], key, order["kind"], order["results"], msgspec.json.encode(script).decode())
        self._db.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, 0)", (*values, time.time()))
        return id

    def job(self, id: str) -> tuple[str, int, Script, float, bool]:
        row = self._db.execute("SELECT kind, results, script, since, canceled FROM jobs WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise Answer(404, {"error": "expired", "message": "no such job"})
        return row[0], row[1], msgspec.json.decode(row[2], type=Script), row[3], bool(row[4])

    def find(self, reference: str) -> str | None:
        row = self._db.execute("SELECT id FROM jobs WHERE reference = ?", (reference,)).fetchone()
        return row[0] if row else None

    def cancel(self, id: str) -> None:
        self._db.execute("UPDATE jobs SET canceled = 1 WHERE id = ?", (id,))

    def still(self, what: str, times: int) -> bool:
        """Whether a misbehaviour that happens so many times happens now; counts it."""
        done = self._db.execute("SELECT n FROM times WHERE what = ?", (what,)).fetchone()
        self._db.execute("INSERT INTO times VALUES (?, 1) ON CONFLICT (what) DO UPDATE SET n = n + 1", (what,))
        return times < 0 or (done[0] if done else 0) < times

    def count(self, what: str) -> int:
        self.still(what, 0)
        return self._db.execute("SELECT n FROM times WHERE what = ?", (what,)).fetchone()[0]

    def script(self, reference: str = "") -> Script:
        """That of a reference, or else that of all."""
        row = self._db.execute(
            "SELECT script FROM script WHERE reference IN (?, '') ORDER BY reference DESC", (reference,)
        ).fetchone()
        return msgspec.json.decode(row[0], type=Script) if row else Script()

    def set_script(self, script: Script, reference: str = "") -> None:
        values = (reference, msgspec.json.encode(script).decode())
        self._db.execute("INSERT OR REPLACE INTO script VALUES (?, ?)", values)

    def counts(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for table, name in (("asked", "asked"), ("jobs", "paid")):
            for reference, n in self._db.execute(f"SELECT reference, count(*) FROM {table} GROUP BY reference"):
                found.setdefault(reference, {"asked": 0, "paid": 0})[name] = n
        return found
