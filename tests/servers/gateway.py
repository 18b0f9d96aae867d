"""The gateway of a Ceph that runs (`servers.s3`), to be killed alone: what is stored stays."""

import os
import signal
import subprocess
import time
from pathlib import Path

import httpx2

from servers.s3 import PATIENCE_S, S3Server


class Gateway:
    """radosgw: ``kill`` and ``start`` as often as wanted; ``stop`` at the end, before the server's own."""

    def __init__(self, server: S3Server) -> None:
        self._endpoint, self._folder = server.endpoint, server.folder
        self._process: subprocess.Popen[bytes] | None = None

    def answers(self) -> bool:
        """Whether anybody listens there."""
        try:
            httpx2.get(self._endpoint, trust_env=False, timeout=5)
        except httpx2.TransportError:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL; returns when nobody listens any more."""
        os.kill(int(self._pid_file.read_text()), signal.SIGKILL)
        self._reap()
        patience = time.monotonic() + PATIENCE_S
        while self.answers():
            assert time.monotonic() < patience, "the gateway was killed and still answers"
            time.sleep(0.02)

    def start(self) -> None:
        """Start it on its port and its store, without waiting for it. That takes a few seconds."""
        with (self._folder / "log" / "rgw.out").open("ab") as log:
            self._process = subprocess.Popen(
                ["radosgw", "-n", "client.rgw.a", "-f", "-c", str(self._folder / "ceph.conf")], stdout=log, stderr=log
            )
        # Where whoever ends the whole of Ceph looks for it.
        self._pid_file.write_text(f"{self._process.pid}\n")

    def stop(self) -> None:
        """End what was started here."""
        if self._process is not None:
            self._process.kill()
        self._reap()

    @property
    def _pid_file(self) -> Path:
        return self._folder / "rgw.pid"

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None
