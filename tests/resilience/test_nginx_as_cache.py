"""deploy/nginx.conf before a server that the test plays: what reaches a studio, and what is kept of what it says."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from cli.command import eventually
from servers.nginx import Nginx

CONTENT = b"moving pictures "
ADDRESS = "/media/med_01k9/master?e=1795348800&s=abc-_123"
SHARED = "public, max-age=600, must-revalidate, stale-if-error=0"
AT_ONCE = 12


class Origin:
    """The server. ``fields`` is what its answers say; ``asked``: request line and header fields, in lower case, of each."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.may_answer = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def address(self) -> str:
        """Host and port."""
        return "{}:{}".format(*self._server.server_address[:2])

    def forget(self) -> None:
        """As at the beginning."""
        self.fields, self.asked = {"Cache-Control": SHARED}, []
        self.may_answer.set()

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(origin: Origin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def parse_request(self) -> bool:
            """Remember it, whatever it is."""
            understood = super().parse_request()
            fields = {name.lower(): value for name, value in self.headers.items()}
            origin.asked.append((f"{self.command} {self.path}", fields))
            return understood

        def do_GET(self) -> None:
            """The whole content, as the first and only slice."""
            origin.may_answer.wait(10)
            self.send_response(206)
            size = len(CONTENT)
            for name, value in {"Content-Range": f"bytes 0-{size - 1}/{size}", **origin.fields}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is written to the terminal."""

    return Handler


@pytest.fixture(scope="module")
def _origin() -> Iterator[Origin]:
    origin = Origin()
    yield origin
    origin.stop()


@pytest.fixture(scope="module")
def nginx(_origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    nginx = Nginx(tmp_path_factory.mktemp("nginx") / "nginx")
    try:
        yield nginx.start(_origin.address)
    finally:
        nginx.stop()


@pytest.fixture
def origin(_origin: Origin, nginx: Nginx) -> Origin:
    _origin.forget()
    nginx.forget()
    return _origin


@pytest.fixture
def client(nginx: Nginx) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=nginx.url, verify=nginx.trust(), trust_env=False) as client:
        yield client


def test_nothing_of_who_asks_reaches_the_studio(origin: Origin, client: httpx2.Client) -> None:
    said = {
        "Cookie": "mutoscope_session=somebody", "Authorization": "Bearer somebody", "X-Forwarded-For": "192.0.2.7",
        "Forwarded": "for=192.0.2.7", "Range": "bytes=3-5", "If-None-Match": '"x"', "If-Range": '"x"',
        "Origin": "https://example.com", "Accept-Encoding": "gzip", "Cache-Control": "no-store", "Upgrade": "h2c",
    }  # fmt: skip
    answer = client.request("GET", ADDRESS, headers=said, content=b"a body of a request")
    assert answer.content == CONTENT
    assert origin.asked == [(f"GET {ADDRESS}", {"host": origin.address, "range": "bytes=0-1048575"})]
    assert client.get(ADDRESS).headers["x-cache"] == "HIT"


def test_a_cookie_is_kept_for_nobody(origin: Origin, client: httpx2.Client) -> None:
    origin.fields["Set-Cookie"] = "mutoscope_session=the-first-ones"
    assert client.get(ADDRESS).headers["x-cache"] == "MISS"
    del origin.fields["Set-Cookie"]
    answer = client.get(ADDRESS)
    assert (answer.headers["x-cache"], answer.headers.get("set-cookie")) == ("MISS", None)
    assert client.get(ADDRESS).headers["x-cache"] == "HIT"


@pytest.mark.parametrize("policy", ["private, max-age=600", "private, no-store", "no-store", "public, max-age=0", None])
def test_what_is_not_said_to_be_for_all_is_kept_for_nobody(
    origin: Origin, client: httpx2.Client, policy: str | None
) -> None:
    origin.fields = {"Cache-Control": policy} if policy else {}
    assert [client.get(ADDRESS).headers["x-cache"] for _ in range(2)] == ["MISS", "MISS"]
    assert len(origin.asked) == 2


def test_many_at_once_are_one_fetch(origin: Origin, nginx: Nginx) -> None:
    origin.may_answer.clear()

    def fetch(_: int) -> bytes:
        return httpx2.get(nginx.url + ADDRESS, verify=nginx.trust(), trust_env=False, timeout=20).content

    with ThreadPoolExecutor(AT_ONCE) as pool:
        fetches = [pool.submit(fetch, n) for n in range(AT_ONCE)]
        eventually(lambda: nginx.connections() == AT_ONCE, "all have asked")
        origin.may_answer.set()
        assert [fetch.result() for fetch in fetches] == [CONTENT] * AT_ONCE
    assert len(origin.asked) == 1


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("POST", ADDRESS, 403),
        ("PUT", ADDRESS, 403),
        ("DELETE", ADDRESS, 403),
        ("OPTIONS", ADDRESS, 403),
        ("GET", "/", 404),
        ("GET", "/api/media", 404),
        ("GET", "/media/med_01k9", 404),
        ("GET", "/media/med_01k9/master/", 404),
        ("GET", "/media/med_01k9/..%2f..%2fapi", 404),
        ("GET", "/media/x/%0d%0aX:y", 404),
    ],
)
def test_nothing_but_the_reading_of_media_reaches_the_studio(
    origin: Origin, client: httpx2.Client, method: str, target: str, status: int
) -> None:
    assert client.request(method, target).status_code == status
    assert origin.asked == []


@pytest.mark.parametrize(
    "spelling",
    [
        "/media/med_01k9/master?s=abc-_123&e=1795348800",
        f"{ADDRESS}&x=1",
        f"{ADDRESS}&e=1&s=other",
        f"{ADDRESS}&download=0&download=1",
        "/media//med_01k9/./master?E=1795348800&S=abc-_123",
        "/media/med_01k9/%6Daster?e=1795348800&s=abc-_123#part",
    ],
)
def test_other_spellings_of_an_address_share_the_copy(origin: Origin, client: httpx2.Client, spelling: str) -> None:
    first, second = client.get(spelling), client.get(ADDRESS)
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
    assert [request for request, _ in origin.asked] == [f"GET {ADDRESS}"]


@pytest.mark.parametrize("other", ["&download=1", "0", "%20bytes=0-1048575", "%26download=1"])
def test_what_differs_in_meaning_has_a_copy_of_its_own(origin: Origin, client: httpx2.Client, other: str) -> None:
    assert client.get(ADDRESS).headers["x-cache"] == "MISS"
    assert client.get(ADDRESS + other).headers["x-cache"] == "MISS"
    assert [request for request, _ in origin.asked] == [f"GET {ADDRESS}", f"GET {ADDRESS}{other}"]
