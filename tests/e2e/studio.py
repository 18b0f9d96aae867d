"""A studio as people start it, in a process of its own, and people with accounts there."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2

PASSWORD = "turn the crank slowly"
GRANTED = 500
PATIENCE_S = 30.0
_ADDRESS = re.compile(r"is at (http://\S+)")
_SECRET = re.compile(r"/set-up\?secret=(\S+)")


class Person:
    """Somebody with an account, and with a session as a browser holds it."""

    def __init__(self, base: str, name: str) -> None:
        self.name = name
        self.api = httpx2.Client(base_url=base, timeout=30, headers={"Sec-Fetch-Site": "same-origin"})

    def register(self) -> None:
        """Make the account, and sign in."""
        made = self.api.post("/api/auth/register", json={"name": self.name, "password": PASSWORD})
        assert made.status_code == 201, made.text

    @property
    def cookies(self) -> list[Any]:
        """The session, for a browser."""
        return [
            {"name": c.name, "value": c.value, "url": str(self.api.base_url), "httpOnly": True}
            for c in self.api.cookies.jar
        ]

    def order(self, **wish: Any) -> str:
        """Order; returns the job's id."""
        made = self.api.post("/api/generations", json=wish)
        assert made.status_code == 202, made.text
        return made.json()["id"]

    def finished(self, **wish: Any) -> str:
        """Order, and wait until it is done; returns the item's id."""
        return self.wait(self.order(**wish))

    def wait(self, job: str) -> str:
        """Wait until a job is done; returns its item's id."""
        patience = time.monotonic() + PATIENCE_S
        while (found := self.api.get(f"/api/generations/{job}").json())["status"] in ("queued", "in_progress"):
            assert time.monotonic() < patience, f"{job} is still {found['stage']}"
            time.sleep(0.05)
        assert found["status"] == "succeeded", found["error"]
        return found["media"][0]["id"]

    def balance(self) -> dict[str, int]:
        """What the person has."""
        return self.api.get("/api/tokens").json()


class StudioProcess:
    """`mutoscope serve` on a free port, with a data folder of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        # Everybody comes from one address here.
        crowd = {"MUTOSCOPE_REGISTRATIONS_PER_HOUR": "3600", "MUTOSCOPE_ORDERS_PER_MINUTE": "6000"}
        environment = os.environ | {"MUTOSCOPE_PORT": "0", "MUTOSCOPE_SIGN_UP_GRANT": str(GRANTED)} | crowd
        self._log = (data.parent / f"{data.name}.log").open("w+")
        command = [sys.executable, "-c", "from mutoscope.cli import main; main()", "--data", str(data), "serve"]
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=self._log, text=True, cwd=data.parent
        )
        assert self._process.stdout is not None
        said = ""
        while "Stop with" not in said:
            line = self._process.stdout.readline()
            assert line, f"the studio did not start: {said}{self.log()}"
            said += line
        self.base = _ADDRESS.findall(said)[0]
        self.secret = "".join(_SECRET.findall(said))
        self._people = 0

    def log(self) -> str:
        """What the server wrote."""
        self._log.seek(0)
        return self._log.read()

    def set_up(self) -> None:
        """Make the administrator, without a browser."""
        person = Person(self.base, "carol")
        body = {"secret": self.secret, "name": "carol", "password": PASSWORD}
        assert person.api.post("/api/auth/set-up", json=body).status_code == 201
        person.api.close()

    def someone(self, name: str) -> Person:
        """A new person of that name, with a number after it."""
        self._people += 1
        person = Person(self.base, f"{name}-{os.getpid()}-{self._people}")
        person.register()
        return person

    def command(self, *arguments: str) -> str:
        """What a command says that goes through this studio's socket."""
        words = [sys.executable, "-m", "mutoscope", "--data", str(self.data), *arguments]
        return subprocess.run(words, check=True, capture_output=True, text=True, timeout=PATIENCE_S).stdout

    def stop(self) -> None:
        """End it in order."""
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=20)
        self._log.close()
