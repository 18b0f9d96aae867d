"""The table of what somebody ordered."""

import re

import pytest

import journey
from mutoscope.domain.generation import State
from mutoscope.domain.ids import MINUTE
from web.house import House
from web.pages.test_pages import browser, fine

pytestmark = pytest.mark.asyncio(loop_scope="session")


def rows(page: str) -> dict[str, str]:
    """What stands in each row, by the job's id, without markup."""
    found = re.findall(r'<tr id="(gen_[0-9a-z]+)">(.*?)</tr>', page, re.S)
    return {id: " ".join(re.sub(r"<[^>]+>", " ", text).split()) for id, text in found}


async def test_it_says_how_each_job_ended_what_it_cost_and_nothing_of_others(house: House) -> None:
    item = await house.published(house.alice, prompt="Koi under lily pads")
    failed = await journey.failed(house.store, house.alice, house.clock.now())
    theirs = await journey.failed(house.store, house.bob, house.clock.now())
    house.clock.tick(MINUTE)
    waiting = await journey.accept(house.store, house.alice, prompt="A lamp by the sea", created_at=house.clock.now())
    async with house.client(await browser(house, house.alice)) as client:
        seen = rows(fine(await client.get("/activity")))
        assert list(seen) == [waiting.id, failed.id, item.generation_id]
        assert theirs.id not in seen
        assert "A lamp by the sea" in seen[waiting.id]
        assert f"Waiting for its turn – – {waiting.hold} set aside" in seen[waiting.id]
        assert "Done Open" in seen[item.generation_id]
        assert f'href="/m/{item.id}"' in (await client.get("/activity")).text
        assert failed.failure is not None
        assert "Failed" in seen[failed.id]
        assert f"0 {failed.hold} back" in seen[failed.id]
        for status, ids in (
            ("running", [waiting.id]),
            ("failed", [failed.id]),
            ("done", [item.generation_id]),
            ("canceled", []),
        ):
            page = fine(await client.get("/activity", params={"status": status}))
            assert list(rows(page)) == ids, status
            assert page.count('aria-current="true"') == 1
        assert (await client.get("/activity?status=nonsense")).status_code == 422


async def test_older_jobs_come_on_the_next_page_with_the_same_filter(house: House) -> None:
    jobs = [await journey.accept(house.store, house.alice, price_each=0) for _ in range(52)]
    async with house.client(await browser(house, house.alice)) as client:
        page = fine(await client.get("/activity?status=running"))
        [older] = re.findall(r'href="(/activity\?[^"]*cursor=[^"]+)"', page)
        rest = rows(fine(await client.get(older.replace("&amp;", "&"))))
    assert "status=running" in older
    assert len(rows(page)) == 50
    assert rows(page).keys() | rest.keys() == {job.id for job in jobs}
    assert all(job.state is State.QUEUED for job in jobs)
