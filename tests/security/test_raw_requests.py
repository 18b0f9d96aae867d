"""Requests as no client writes them, at a studio as it is started: ways out of its folders, line breaks in names, and what
the log says of them.
"""

import re
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.command import Server, eventually, mutoscope, warm

LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z? \[\w+ *\] ")
HEADER = b"x-planted"
UP = ("../", "..\\", "..%2f", "..%2F", "..%5c", "%2e%2e/", "%2e%2e%2f", "%2e%2e%5c", "%252e%252e%252f", "..%252f", "..%c0%af", "..%ef%bc%8f", "....//", "..;/", "..%00/", "./../")  # fmt: skip
FILES = ("secrets/signing", "secrets/jwt", "mutoscope.sqlite", "studio.sqlite", "etc/passwd", "etc/hostname")
STARTS = (
    "/assets/",
    "/assets/x/",
    "/media/",
    "/media/med_00000000000000000000000000/",
    "/m/",
    "/api/media/",
    "/",
    "/hooks/local/",
)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One, with somebody in it."""
    data = tmp_path_factory.mktemp("raw") / "data"
    with warm(), Server(data, environ={"MUTOSCOPE_LOG_LEVEL": "debug"}) as server:
        mutoscope(data, "user", "create", "alice", "--role", "admin")
        yield server


def said(studio: Server, request: bytes) -> bytes:
    """What comes back for that, sent as it is, until the studio closes."""
    host, _, port = studio.base_url.removeprefix("http://").rpartition(":")
    answer = b""
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request)
        while piece := connection.recv(65_536):
            answer += piece
    return answer


def get(path: bytes, *fields: bytes, last: bool = False) -> bytes:
    """A request for exactly that."""
    lines = [b"GET " + path + b" HTTP/1.1", b"Host: localhost", *fields, *([b"Connection: close"] if last else [])]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def planted(data: Path) -> list[bytes]:
    """What stands in files that nobody may read."""
    found = [line for file in (data / "secrets").iterdir() for line in file.read_bytes().split()]
    return [*found, b"SQLite format 3", *Path("/etc/passwd").read_bytes().splitlines()[:1]]


@pytest.mark.parametrize("up", UP)
def test_no_way_leads_out_of_the_folders(studio: Server, up: str) -> None:
    slash = next((way for way in ("%252f", "%2f", "%5c", "\\") if way in up.lower()), "/")
    paths = [
        f"{start}{up * depth}{file}{end}"
        for start in STARTS
        for depth in (1, 3, 9)
        for file in (*FILES, *(file.replace("/", slash) for file in FILES if slash != "/"))
        for end in ("", "%00", "%00.css", "%20")
    ]
    answers = b""
    for path in paths:
        answers += said(studio, get(path.encode(), last=True))
    statuses = re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)
    assert len(statuses) == len(paths)
    assert set(statuses) <= {b"400", b"404", b"405"}, set(statuses)
    for secret in planted(studio.data):
        assert secret not in answers


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "//etc/passwd",
        "file:///etc/passwd",
        "/%2fetc%2fpasswd",
        "http://localhost/assets/../../etc/passwd",
    ],
)
def test_no_whole_path_is_one_of_this_machine(studio: Server, path: str) -> None:
    answer = said(studio, get(path.encode(), last=True))
    assert re.match(rb"HTTP/1\.1 (400|404)", answer)
    assert b"root:" not in answer


BREAKS = (
    b"%0d%0aX-Planted:%201",
    b"%0aX-Planted:%201",
    b"%0d",
    b"%E5%98%8A%E5%98%8DX-Planted:%201",
    b"%u000aX-Planted:1",
    b"%00",
)


@pytest.mark.parametrize("broken", BREAKS)
def test_a_line_break_in_an_address_makes_no_header_field(studio: Server, broken: bytes) -> None:
    ways = (
        b"/sign-in?next=/x", b"/library/x", b"/account?x=", b"/m/", b"/media/med_", b"/api/media?q=", b"/create?from=",
        b"/media/med_00000000000000000000000000/master?download=1&x=", b"/nothing/", b"/register?invite=",
    )  # fmt: skip
    for way in ways:
        answer = said(studio, get(way + broken, b"Accept: text/html", last=True))
        head = answer.partition(b"\r\n\r\n")[0].lower()
        assert re.match(rb"http/1\.1 [2-4]", head), head
        assert not re.search(rb"^" + HEADER, head, re.MULTILINE), way


@pytest.mark.parametrize(
    "field", [b"X-A: b\nX-B: c", b"X-A: b\rX-B: c", b"X-A: b\x00c", b"X-A\r: b", b"X A: b", b": b", b"X-A : b"]
)
def test_a_head_with_odd_line_breaks_is_read_by_the_book_or_refused(studio: Server, field: bytes) -> None:
    answer = said(studio, get(b"/healthz", field, last=True))
    assert re.match(rb"HTTP/1\.1 (200|400) ", answer), answer[:80]
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "fields",
    [
        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        (b"Content-Length: 5", b"Content-Length: 6"),
        (b"Transfer-Encoding: xchunked",),
        (b"Content-Length: +5",),
        (b"Host: evil.example",),
    ],
)
def test_a_request_that_two_servers_would_read_in_two_ways_is_not_answered_twice(
    studio: Server, fields: tuple[bytes, ...]
) -> None:
    smuggled = get(b"/api/me", b"X-Smuggled: 1", last=True)
    answer = said(studio, get(b"/healthz", *fields) + b"0\r\n\r\n" + smuggled)
    assert re.match(rb"HTTP/1\.1 4\d\d ", answer), answer[:200]


def test_what_somebody_asks_for_is_one_line_of_the_log_and_begins_no_other(studio: Server) -> None:
    mark = secrets.token_hex(8).encode()
    ways = (
        b"/%0a2026-01-01T00:00:00Z%20[info%20%20%20%20%20]%20forged%20", b"/%0d%0aforged", b"/%1b[2Jforged", b"/%e2%80%a8forged",
        b"/hooks/x%0aforged/y", b"/media/med_%0aforged/master", b"/api/media/%0d%0aforged", b"/jobs/%0aforged",
    )  # fmt: skip
    for way in ways:
        fields = (b"User-Agent: \xc2\x9b31mforged", b"X-Forwarded-For: 1.2.3.4\tforged", b"Referer: forged")
        said(studio, get(way + mark, *fields, last=True))
    eventually(lambda: studio.log.read_bytes().count(mark) >= len(ways), "the log says so")
    for line in studio.log.read_text().splitlines():
        if mark.decode() in line or "forged" in line:
            assert LINE.match(line), line
            assert line.isprintable(), line
