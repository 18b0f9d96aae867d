"""Servers that speak S3, for tests: an emulator from PyPI, and the gateway of Ceph where Debian's packages are there."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from mutoscope.blobs.s3 import S3Place
from mutoscope.domain.ids import SystemClock

KEYS = {
    "ministack": ("test", "test"),
    "radosgw": ("TESTKEY0123456789AB", "testsecret0123456789testsecret0123456789"),
}
PATIENCE_S = 60
CEPH = ("radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "ceph")


class S3Server:
    """A server that runs: ``endpoint`` is its address."""

    def __init__(self, name: str, folder: Path, port: int | None = None) -> None:
        self.name, self.folder, self._port = name, folder, port
        folder.mkdir(parents=True, exist_ok=True)
        self._processes: list[subprocess.Popen[bytes]] = []
        {"ministack": self._ministack, "radosgw": self._radosgw}[name]()

    def _ministack(self) -> None:
        port = self._port or free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        environment = os.environ | {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "HOME": str(self.folder)}
        program = Path(sys.executable).parent / "ministack"
        log = (self.folder / "log").open("wb")
        self._processes.append(subprocess.Popen([program], env=environment, stdout=log, stderr=log, cwd=self.folder))
        log.close()
        self._answers()

    def _radosgw(self) -> None:
        missing = [program for program in CEPH if shutil.which(program) is None]
        if missing or os.getuid() != 0:
            pytest.skip(f"needs root and {', '.join(missing or CEPH)}: S3 was tried on an emulator alone")
        script = Path(__file__).with_name("radosgw.sh")
        log = self.folder.with_suffix(".log")
        with log.open("wb") as out:
            started = subprocess.run(["bash", script, self.folder], stdout=out, stderr=out, timeout=120)
        assert started.returncode == 0, log.read_text()
        self.endpoint = (self.folder / "endpoint").read_text().strip()

    def _answers(self) -> None:
        patience = time.monotonic() + PATIENCE_S
        while True:
            try:
                httpx2.get(self.endpoint, trust_env=False)
                return
            except httpx2.TransportError:
                assert time.monotonic() < patience, f"{self.name} does not answer"
                time.sleep(0.05)

    def kill_gateway(self) -> None:
        """SIGKILL the gateway of Ceph alone: what is stored stays."""
        os.kill(int((self.folder / "rgw.pid").read_text()), signal.SIGKILL)

    def start_gateway(self) -> None:
        """Start the gateway again, on its port, without waiting for it."""
        log = (self.folder / "log" / "rgw.out").open("ab")
        with log:
            process = subprocess.Popen(
                ["radosgw", "-n", "client.rgw.a", "-f", "-c", str(self.folder / "ceph.conf")], stdout=log, stderr=log
            )
        self._processes.append(process)
        (self.folder / "rgw.pid").write_text(f"{process.pid}\n")

    def stop(self) -> None:
        """End it."""
        for process in self._processes:
            process.kill()
            process.wait()
        for pid in self.folder.glob("*.pid"):
            subprocess.run(["kill", "-9", pid.read_text().strip()], check=False, stderr=subprocess.DEVNULL)


def place_in(server: str, endpoint: str, bucket: str) -> S3Place:
    """A bucket of that server, made when it is not there."""
    key, secret = KEYS[server]
    place = S3Place(bucket=bucket, access_key_id=key, secret_access_key=secret, endpoint=endpoint)
    assert place.signer is not None
    made = httpx2.put(place.signer.sign(place.address, SystemClock().now(), 60, "PUT"), trust_env=False, timeout=30)
    assert made.is_success or made.status_code == 409, made.text
    return place


def free_port() -> int:
    """A port of this machine that is free."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
