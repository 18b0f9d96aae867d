"""A real nginx with the configuration of deploy/nginx.conf, in front of a studio of this machine."""

import os
import pwd
import shutil
import ssl
import subprocess
import time
from pathlib import Path

import httpx2
import psutil
import pytest

from servers.s3 import free_port

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx.conf"
NAME = "localhost"
"""The name of the cache; a studio at 127.0.0.1 is another site to browsers."""
PATIENCE_S = 10
PROGRAMS = ("nginx", "openssl")

# What Debian's /etc/nginx/nginx.conf has around the files of conf.d, as far as it matters; all of it in our folder.
FRAME = """
daemon off;
user {user};
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ }}
http {{
    sendfile on;
    tcp_nopush on;
    gzip on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/mutoscope.conf;
}}
"""


class Nginx:
    """nginx that runs: ``url`` is its address, ``certificate`` the file that vouches for it, ``cache`` where it keeps copies.

    ``url`` is there before it is started, as the studio has to know it. Skips the test when there is no nginx.
    """

    def __init__(self, folder: Path) -> None:
        if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
            pytest.skip(f"NO {' AND NO '.join(missing).upper()}: delivery through a real shared cache was not tried")
        self.folder, self.port = folder, free_port()
        self.url = f"https://{NAME}:{self.port}"
        self.certificate, self.cache = folder / "fullchain.pem", folder / "cache"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}",
             "-keyout", folder / "privkey.pem", "-out", self.certificate],
            check=True, capture_output=True,
        )  # fmt: skip

    def start(self, studio: str) -> "Nginx":
        """Start it in front of the studio at ``studio`` (host and port), and wait until it answers."""
        (self.folder / "mutoscope.conf").write_text(self._placed(CONFIGURATION.read_text(), studio))
        frame = FRAME.format(folder=self.folder, user=pwd.getpwuid(os.getuid()).pw_name)
        main, log = self.folder / "nginx.conf", self.folder / "error.log"
        main.write_text(frame)
        self._process = subprocess.Popen(["nginx", "-p", self.folder, "-e", log, "-c", main])
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                assert httpx2.get(self.url, verify=self.trust(), trust_env=False).status_code == 404
                return self
            except httpx2.TransportError:
                assert self._process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.05)

    def trust(self) -> ssl.SSLContext:
        """For clients of it."""
        return ssl.create_default_context(cafile=self.certificate)

    def log(self) -> list[str]:
        """The lines of its access log."""
        return (self.folder / "mutoscope-cdn.log").read_text().splitlines()

    def connections(self) -> int:
        """How many clients are connected."""
        established = [found.laddr for found in psutil.net_connections("tcp4") if found.status == "ESTABLISHED"]
        return sum(ours == ("127.0.0.1", self.port) for ours in established)

    def forget(self, item: str = "") -> None:
        """Remove every copy, or those of one item, as docs/guides/behind-a-cdn.md tells an operator to do while it runs."""
        every = "find . -type f -delete"
        of_one = f'grep -rlaF "KEY: /media/{item}/" . | xargs -r rm'
        subprocess.run(of_one if item else every, cwd=self.cache, shell=True, check=True)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)

    def _placed(self, text: str, studio: str) -> str:
        """The configuration with the addresses and paths of this machine, and nothing else changed."""
        for written, here in (
            ("listen 443 ", f"listen 127.0.0.1:{self.port} "),
            ("127.0.0.1:8700", studio),
            ("studio.example.org", studio),
            ("/etc/letsencrypt/live/cdn.example.org", str(self.folder)),
            ("server_name cdn.example.org", f"server_name {NAME}"),
            ("/var/cache/nginx-mutoscope", str(self.cache)),
            ("/var/log/nginx", str(self.folder)),
        ):
            assert written in text, f"{CONFIGURATION} has no {written!r}"
            text = text.replace(written, here)
        return text
