"""A studio of its own behind nginx with the configuration of deploy/nginx.conf, and addresses that end when a test wants it."""

import itertools
import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2

from cast import HandClock
from cli.command import Server, eventually
from e2e.studio import PASSWORD, Person
from mutoscope.domain.media import Media, Variant, Visibility
from mutoscope.services.addresses import Addresses
from servers.faults import Faults
from servers.nginx import Nginx

SLICE_BYTES = 1 << 20
STILL: dict[str, Any] = {"model": "local/still", "parameters": {"size": "1920x1080"}, "prompt": "A mill in the rain"}
SMALL: dict[str, Any] = {"model": "local/still", "parameters": {"size": "1280x720"}, "prompt": "A mill that will go"}
FILM: dict[str, Any] = {
    "model": "local/dream",
    "parameters": {"size": "640x360", "duration_s": 1},
    "prompt": "A zeppelin adrift",
}


class Scene:
    """The studio, the way between, and nginx. ``still`` is a picture of several slices for all to see, ``content`` its
    bytes; ``private`` is one for alice, and ``doomed`` are two that are closed in the end."""

    def __init__(self, studio: Server, way: Faults, nginx: Nginx) -> None:
        self.studio, self.way, self.nginx = studio, way, nginx
        self._rests_s = itertools.count(600)
        secret = studio.set_up and re.findall(r"secret=(\S+)", studio.set_up)[0]
        person = Person(studio.base_url, "carol")
        body = {"secret": secret, "name": "carol", "password": PASSWORD}
        assert person.api.post("/api/auth/set-up", json=body).status_code == 201
        person.api.close()
        self.alice = Person(studio.base_url, "alice")
        self.alice.register()
        wishes = [STILL, SMALL | {"visibility": "private"}, SMALL, SMALL, FILM]
        jobs = [self.alice.order(**wish) for wish in wishes]
        self.still, self.private, *self.doomed, self.film = map(self.alice.wait, jobs)
        self.content = self.straight(self.address(self.still)).content
        assert len(self.content) > 2 * SLICE_BYTES

    def address(self, item: str, variant: str = "master", visibility: str = "public", rest_s: int | None = None) -> str:
        """A signed address that nobody asked for yet, and that ends in so many seconds (up to one less)."""
        (key,) = (self.studio.data / "secrets" / "signing").read_text().split()
        now_s = time.time()
        made_at = HandClock(round((now_s + (rest_s or next(self._rests_s)) - 2) * 1000))
        known = SimpleNamespace(id=item, visibility=Visibility(visibility), locked=False)
        return Addresses([key.encode()], made_at, 1000).path(cast(Media, known), Variant(variant))

    def straight(self, address: str) -> httpx2.Response:
        """What the studio itself answers."""
        return httpx2.get(self.studio.base_url + address, trust_env=False)

    def fetch(self, address: str, method: str = "GET", **fields: str) -> httpx2.Response:
        """What a stranger gets from the cache, over a connection of its own. ``fields``: If_Range for If-Range."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        url = self.nginx.url + address
        return httpx2.request(method, url, headers=headers, verify=self.nginx.trust(), trust_env=False, timeout=30)

    def how(self, address: str, **fields: str) -> tuple[int, str]:
        """The status, and how it came: HIT from the cache."""
        answer = self.fetch(address, **fields)
        return answer.status_code, answer.headers["x-cache"]

    @contextmanager
    def down(self) -> Generator[None]:
        """While the studio cannot be reached."""
        self.way.refuse()
        try:
            yield
        finally:
            self.way.heal()

    def asked(self, address: str) -> int:
        """How often the studio was asked for a file of that item so far, straight or by nginx."""
        return self.studio.log.read_text().count(f'"path": "{urlsplit(address).path}"')

    def wait_asked(self, address: str, times: int) -> None:
        """Wait until the log, which comes after the answer, says that it was asked so often; not more."""
        eventually(lambda: self.asked(address) >= times, f"asked {times} times")
        assert self.asked(address) == times


@contextmanager
def behind_nginx(folder: Path) -> Generator[Scene]:
    """The scene, while the block runs."""
    nginx = Nginx(folder / "nginx")
    environ = {
        "MUTOSCOPE_DELIVERY": "cdn", "MUTOSCOPE_CDN_URL": nginx.url, "MUTOSCOPE_SIGN_UP_GRANT": "500",
        "MUTOSCOPE_LOG_LEVEL": "debug", "MUTOSCOPE_LOG_FORMAT": "json",
    }  # fmt: skip
    with (
        Server(folder / "data", environ=environ) as studio,
        Faults("127.0.0.1", urlsplit(studio.base_url).port or 0) as way,
    ):
        try:
            scene = Scene(studio, way, nginx.start(f"127.0.0.1:{way.port}"))
            yield scene
            scene.alice.api.close()
        finally:
            nginx.stop()


def wait_for_end(address: str) -> None:
    """Wait until it has ended in nginx too, which counts whole seconds from when the answer came: one second later."""
    (ends_at_s,) = re.findall(r"e=(\d+)", address)
    time.sleep(max(int(ends_at_s) + 1.05 - time.time(), 0))
