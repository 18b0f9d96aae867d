"""The command line as people start it: a process of its own, over a data folder of its own."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import psutil

TESTS = Path(__file__).parents[1]
PATIENCE_S = 60.0
INHERITED = re.compile(r"MUTOSCOPE_|AWS_|STABILITY_|MONGODB_|JWT_SECRET")
_numbers = itertools.count()
JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The answer of a command that was asked for JSON, and that went well."""
        assert self.code == 0, self
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The complaint of a command that was asked for JSON."""
        return json.loads(self.err)["error"]


@contextmanager
def warm() -> Iterator[None]:
    """While this stands, `mutoscope` can be called."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.warm"], cwd=TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process, tempfile.TemporaryDirectory() as folder:
        _warm.append((process, Path(folder)))
        yield
        _warm.pop()


_warm: list[tuple["subprocess.Popen[str]", Path]] = []


def mutoscope(data: Path, *arguments: str, stdin: str = "", environ: Mapping[str, str] | None = None) -> Ran:
    """Run a command to its end. Whatever it says, it is no traceback and holds no secret of the studio."""
    process, folder = _warm[-1]
    assert process.stdin is not None
    assert process.stdout is not None
    streams = [folder / f"{next(_numbers)}-{name}" for name in ("in", "out", "err")]
    streams[0].write_text(stdin)
    order = {
        "arguments": ["--data", str(data), *arguments],
        "environ": environment(environ),
        "streams": list(map(str, streams)),
    }
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()
    code = int(process.stdout.readline())
    out, err = (stream.read_text() for stream in streams[1:])
    look_for_leaks(data, out + err)
    return Ran(code, out, err)


def command(data: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "mutoscope", "--data", str(data), *arguments]


def environment(more: Mapping[str, str] | None) -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not INHERITED.match(name)}
    return mine | {"MUTOSCOPE_PORT": "0"} | dict(more or {})


def look_for_leaks(data: Path, said: str) -> None:
    """No traceback, no token, no key."""
    assert "Traceback" not in said, said
    assert not JWT.search(said), said
    for file in data.glob("secrets/*"):
        for key in file.read_text().split():
            assert key not in said


class Server:
    """`mutoscope serve`, for as long as the block runs; ended by SIGTERM unless it was ended before."""

    def __init__(self, data: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> None:
        self.data, self._arguments, self._environ = data, arguments, environ
        self.log = data.parent / f"{data.name}.log"

    def __enter__(self) -> "Server":
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command(self.data, "serve", "--json", *self._arguments),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(self._environ),
            )
        said = self.say()
        assert said, f"it did not start: {self.log.read_text()}"
        self.base_url: str = said["base_url"]
        self.set_up: str | None = said["set_up"]
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop(signal.SIGTERM)
        look_for_leaks(self.data, self.log.read_text())

    def say(self) -> Any:
        """The next line of standard output; None at its end."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def family(self) -> list[psutil.Process]:
        """The processes that it has started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end. Returns the exit code."""
        self.process.send_signal(number)
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode

    def get(self, path: str, **more: Any) -> httpx2.Response:
        """Ask it over HTTP."""
        return httpx2.get(self.base_url + path, timeout=PATIENCE_S, **more)


def eventually(holds: Any, what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"it never came to this: {what}"
        time.sleep(0.05)
