"""A studio behind a real nginx with the configuration of deploy/nginx.conf: what comes out of its cache, and what never does."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import httpx2
import pytest
from playwright.sync_api import sync_playwright

from cli.command import eventually
from e2e.conftest import ARGUMENTS, CHROMIUM, PATIENCE_MS
from resilience.scene import SLICE_BYTES, Scene, behind_nginx, wait_for_end

AT_ONCE = 12
PUBLIC = re.compile(r"public, max-age=(\d+), must-revalidate, stale-if-error=0")
PLAYED_S = 0.3
PLAYED = """async (until_s) => {
  const film = document.querySelector("#film");
  film.muted = true;
  await film.play();
  while (film.currentTime < until_s) await new Promise((resolve) => requestAnimationFrame(resolve));
  return { at: film.currentTime, wide: film.videoWidth };
}"""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with behind_nginx(tmp_path_factory.mktemp("cdn")) as scene:
        yield scene


def is_kept(answer: httpx2.Response) -> bool:
    return "public" in answer.headers["cache-control"]


def test_the_second_person_gets_the_copy_of_what_the_first_one_fetched(scene: Scene) -> None:
    url = scene.alice.api.get(f"/api/media/{scene.private}").json()["url"]
    assert url.startswith(f"{scene.nginx.url}/media/{scene.private}/master?")
    address, before = url.removeprefix(scene.nginx.url), scene.asked(url)
    first = scene.fetch(address, Cookie="mutoscope_session=hers")
    second = scene.fetch(address, Cookie="mutoscope_session=his", Authorization="Bearer no")
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
    assert first.content == second.content == scene.straight(address).content
    slices = -(-len(first.content) // SLICE_BYTES)
    scene.wait_asked(url, before + slices + 1)
    # Whole, with the length and the tag that the studio gives; and it ends when the address ends, counted from its Date.
    for answer in (first, second):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert answer.headers["etag"] == scene.straight(address).headers["etag"]
        assert answer.headers["content-security-policy"].startswith("sandbox; ")
        assert not {"set-cookie", "vary", "age"} & set(answer.headers)
        (max_age,) = PUBLIC.findall(answer.headers["cache-control"])
        assert 3600 <= int(max_age) <= 7200


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("0-1", 0, 2),
        ("0-", 0, None),
        ("-500", -500, None),
        ("7-7", 7, 8),
        (f"{SLICE_BYTES - 3}-{SLICE_BYTES + 3}", SLICE_BYTES - 3, SLICE_BYTES + 4),
        (f"{SLICE_BYTES}-", SLICE_BYTES, None),
        (f"{SLICE_BYTES + 5}-99999999999", SLICE_BYTES + 5, None),
        (f"-{SLICE_BYTES + 5}", -SLICE_BYTES - 5, None),
    ],
)
def test_a_range_is_a_true_206_put_together_from_slices(
    scene: Scene, asked: str, start: int, end: int | None, warm: bool
) -> None:
    address, size = scene.address(scene.still), len(scene.content)
    if warm:
        assert scene.fetch(address).content == scene.content
    with scene.down() if warm else nullcontext():
        answer = scene.fetch(address, Range=f"bytes={asked}")
    positions = range(size)[start:end]
    assert (answer.status_code, answer.headers["x-cache"]) == (206, "HIT" if warm else "MISS")
    assert answer.headers["content-range"] == f"bytes {positions[0]}-{positions[-1]}/{size}"
    assert answer.content == scene.content[start:end]


def test_a_jump_into_the_middle_of_a_file_fetches_no_more_than_it_needs(scene: Scene) -> None:
    address = scene.address(scene.still)
    before = scene.asked(address)
    assert scene.how(address, Range=f"bytes={2 * SLICE_BYTES}-{2 * SLICE_BYTES + 9}") == (206, "MISS")
    scene.wait_asked(address, before + 1)


def test_a_copy_answers_what_browsers_ask_again(scene: Scene) -> None:
    address = scene.address(scene.still)
    etag = scene.fetch(address).headers["etag"]
    with scene.down():
        same = scene.fetch(address, If_None_Match=etag)
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
        assert PUBLIC.fullmatch(same.headers["cache-control"])
        assert scene.how(address, If_None_Match='"another"') == (200, "HIT")
        assert scene.how(address, Range="bytes=0-1", If_Range=etag) == (206, "HIT")
        assert scene.how(address, Range="bytes=0-1", If_Range='"another"') == (200, "HIT")
        head = scene.fetch(address, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(scene.content))


def test_a_range_outside_the_file_is_not_kept(scene: Scene) -> None:
    address = scene.address(scene.still)
    for _ in range(2):
        answer = scene.fetch(address, Range="bytes=99999999-")
        assert (answer.status_code, answer.headers["x-cache"], is_kept(answer)) == (416, "MISS", False)
    assert scene.how(address) == (200, "MISS")


def test_an_address_with_a_changed_part_is_refused_each_time_though_the_right_one_is_kept(scene: Scene) -> None:
    address = scene.address(scene.private, visibility="private")
    assert scene.how(address) == (200, "MISS")
    for forged in (
        address[:-1] + "~", address.replace("?e=", "?e=9"), address.replace("master", "poster"),
        address.replace("master", "nothing"), address.partition("&")[0], address.replace("&s=", "&s=%20"),
    ):  # fmt: skip
        before = scene.asked(forged)
        for _ in range(2):
            answer = scene.fetch(forged)
            assert (answer.status_code, answer.headers["x-cache"]) == (404, "MISS"), forged
            assert answer.headers["cache-control"] == "private, no-store"
        scene.wait_asked(forged, before + 2)
    assert scene.how(address) == (200, "HIT")


def test_without_a_signature_what_is_public_is_sent_on_and_the_rest_is_not_there(scene: Scene) -> None:
    sent_on, again = (scene.fetch(f"/media/{scene.still}/master") for _ in range(2))
    for answer in (sent_on, again):
        assert (answer.status_code, answer.headers["x-cache"], is_kept(answer)) == (302, "MISS", False)
    assert scene.fetch(sent_on.headers["location"].removeprefix(scene.nginx.url)).content == scene.content
    hers = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in scene.alice.cookies)
    assert scene.how(f"/media/{scene.private}/master", Cookie=hers) == (404, "MISS")


def test_a_copy_ends_with_its_address_whatever_became_of_the_item_and_the_studio(scene: Scene) -> None:
    made, trashed, closed = scene.still, *scene.doomed
    ending, lasting = ([scene.address(item, rest_s=rest_s) for item in scene.doomed] for rest_s in (5, None))
    lost = scene.address(made, rest_s=5)
    for address in (*ending, *lasting, lost):
        assert scene.how(address) == (200, "MISS")
    dated = scene.fetch(lasting[0]).headers["date"]
    scene.alice.api.delete(f"/api/media/{trashed}").raise_for_status()
    scene.alice.api.patch(f"/api/media/{closed}", json={"visibility": "private"}).raise_for_status()
    # What was copied goes on until then, as docs/guides/behind-a-cdn.md says; what was not is out at once.
    for item, address in zip(scene.doomed, lasting, strict=True):
        assert scene.how(address) == (200, "HIT")
        assert scene.how(scene.address(item)) == scene.how(f"/media/{item}/master") == (404, "MISS")
    with scene.down():
        assert [scene.how(address) for address in (*ending, lost)] == [(200, "HIT")] * 3
        wait_for_end(lost)
        assert scene.how(lost) == (502, "EXPIRED")
    # Browsers count from when the studio said it, not from when they got it.
    assert scene.fetch(lasting[0]).headers["date"] == dated
    for address in ending * 2:
        answer = scene.fetch(address)
        assert (answer.status_code, answer.headers["x-cache"], is_kept(answer)) == (404, "EXPIRED", False)
    # A public item's address that has ended leads to the one of now.
    assert scene.fetch(lost).status_code == 302
    # Who cannot wait removes the copies.
    scene.nginx.forget(trashed)
    assert [scene.how(address) for address in lasting] == [(404, "MISS"), (200, "HIT")]
    scene.nginx.forget()
    assert scene.how(lasting[1]) == (404, "MISS")


def test_a_download_has_a_copy_of_its_own_with_its_own_disposition(scene: Scene) -> None:
    address = scene.address(scene.still)
    for status in ("MISS", "HIT"):
        for query, how in (("&download=1", "attachment"), ("", "inline"), ("&download=0&x=1", "inline")):
            answer = scene.fetch(address + query)
            assert answer.headers["content-disposition"].startswith(f"{how}; filename=")
            assert answer.content == scene.content
            if query != "&download=0&x=1":
                assert answer.headers["x-cache"] == status
    assert scene.how(address.replace("?", "?download=1&")) == (200, "HIT")


def test_many_people_at_once_are_one_fetch_of_each_slice(scene: Scene) -> None:
    address = scene.address(scene.still)
    before = scene.asked(address)
    scene.way.slow(latency_ms=300)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(scene.fetch, [address] * AT_ONCE))
    scene.way.heal()
    assert all(answer.content == scene.content for answer in answers)
    scene.wait_asked(address, before - (-len(scene.content) // SLICE_BYTES))


def test_while_the_studio_is_down_copies_serve_and_nothing_else_is_kept(scene: Scene) -> None:
    kept, missing = scene.address(scene.still), scene.address(scene.still)
    assert scene.how(kept) == (200, "MISS")
    with scene.down():
        assert scene.how(kept) == (200, "HIT")
        assert scene.how(missing) == (502, "MISS")
    assert scene.how(missing) == (200, "MISS")


def test_a_film_cut_off_on_its_way_is_kept_neither_whole_nor_in_part(scene: Scene) -> None:
    address = scene.address(scene.still)
    scene.way.cut_after(SLICE_BYTES // 2, "down", times=1)
    with pytest.raises(httpx2.TransportError):
        scene.fetch(address)
    scene.way.heal()
    answer = scene.fetch(address)
    assert (answer.headers["x-cache"], answer.content) == ("MISS", scene.content)


def test_a_film_plays_on_the_studios_page_out_of_the_cache(scene: Scene) -> None:
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM}: no film was played from the cache (apt-get install chromium)")
    url = scene.alice.api.get(f"/api/media/{scene.film}").json()["url"]
    assert scene.how(url.removeprefix(scene.nginx.url)) == (200, "MISS")
    page_address, fetched = f"{scene.studio.base_url}/m/{scene.film}", len(scene.nginx.log())
    policy = httpx2.get(page_address, trust_env=False).headers["content-security-policy"]
    assert f"media-src 'self' {scene.nginx.url} " in policy
    complaints: list[str] = []
    with sync_playwright() as playwright:
        arguments = [*ARGUMENTS, "--ignore-certificate-errors"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.goto(page_address)
        played: Any = page.evaluate(PLAYED, PLAYED_S)
        browser.close()
    assert (played["wide"], played["at"] >= PLAYED_S) == (640, True)
    assert complaints == []
    lines = [line for line in scene.nginx.log()[fetched:] if f"/media/{scene.film}/master" in line]
    assert lines
    assert all(line.endswith(" HIT") for line in lines)


def test_no_log_names_a_signature(scene: Scene) -> None:
    address = scene.address(scene.still)
    for method in ("GET", "HEAD", "POST"):
        scene.fetch(address, method)
    scene.fetch(address, Range="bytes=99999999-")
    with scene.down():
        assert scene.how(scene.address(scene.still)) == (502, "MISS")
    eventually(lambda: " 502 " in scene.nginx.log()[-1], "the last one is in the log")
    logs = [*scene.nginx.folder.glob("*.log"), scene.studio.log]
    assert {log.name for log in logs} == {"error.log", "mutoscope-cdn.log", "mutoscope-cdn-error.log", "data.log"}
    for log in logs:
        assert not re.search(r"[?&]s=", log.read_text()), log.name
