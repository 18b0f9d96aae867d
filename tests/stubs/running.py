"""The counting stub as a process of its own, that can be killed and started again on the same port."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from stubs.adapter import StubProvider

TESTS = Path(__file__).parents[1]


class RunningStub:
    """One stub process. ``folder`` holds what it remembers."""

    def __init__(self, folder: Path, lookup: bool = True, module: str = "stubs.counting") -> None:
        self.folder, self.port = folder, 0
        self._lookup, self._module = lookup, module
        self._process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "RunningStub":
        """Start, on the port it had before."""
        command = [sys.executable, "-m", self._module, "--port", str(self.port), "--state", str(self.folder)]
        if not self._lookup:
            command.append("--no-lookup")
        self._process = subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def kill(self) -> None:
        """End it without warning."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def provider(self, **how: Any) -> StubProvider:
        """An adapter for it."""
        return StubProvider(self.address, **how)
