"""What the doctor orders end to end: the cheapest there is of each kind, and it knows what costs money."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import journey
from cast import carol, generation, grant, person
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.domain.errors import Conflict, Invalid, NotFound
from mutoscope.domain.ids import MINUTE, Ids, SystemClock
from mutoscope.domain.ledger import Balance
from mutoscope.domain.media import Kind, Previews, Variant, Visibility, key_for
from mutoscope.providers.local import LocalProvider
from mutoscope.providers.port import Provider
from mutoscope.services.rehearsal import CleanedUp, Trial, clean_up, plan
from mutoscope.services.studio import Studio
from mutoscope.settings import load_settings
from mutoscope.wiring import open_studio
from stubs.adapter import StubProvider

NAME = "doctor-0123456789abcdef"


async def planned(tmp_path: Path, catalogue: str, local: bool = True) -> list[Trial]:
    """What would be ordered with that catalogue on top, with the local provider and one that is paid."""
    (tmp_path / "catalogue.toml").write_text(catalogue)
    darkroom, paid = JailedDarkroom(), StubProvider("http://127.0.0.1:1")
    providers: dict[str, Provider] = {"paid": paid}
    if local:
        providers["local"] = LocalProvider(tmp_path / "local", darkroom)
    running = await open_studio(load_settings(tmp_path, {}), providers=providers)
    try:
        return (await plan(running.studio)).trials
    finally:
        await running.close()
        await darkroom.close()


def model(id: str, kind: str, **more: str) -> str:
    lines = {"provider": '"paid"', "upstream": '"x"', "name": '"X"', "description": '"X"', "kind": f'"{kind}"'} | more
    return "\n".join(["[[model]]", f'id = "{id}"', *(f"{key} = {value}" for key, value in lines.items()), ""])


async def test_the_smallest_and_shortest_of_what_is_free_is_ordered(tmp_path: Path) -> None:
    picture, film = await planned(tmp_path, model("paid/a", "video", cost_micro_usd="5"))
    assert (picture.model, picture.parameters, picture.tokens) == ("local/still", {"size": "1280x720"}, 1)
    assert (film.model, film.tokens, film.from_picture) == ("local/drift", 1, True)
    assert {"size": "640x360", "duration_s": 1}.items() <= film.parameters.items()
    assert [picture.costs_money, film.costs_money] == [False, False]


async def test_where_all_of_it_costs_money_it_is_the_least(tmp_path: Path) -> None:
    catalogue = model("paid/dear", "image", cost_micro_usd="90_000") + model(
        "paid/cheap", "image", cost_micro_usd="9_000"
    )
    catalogue += model("paid/unsaid", "video", price="{ per_second = 3 }", **{
        "parameters.duration_s": '{ label = "D", type = "choice", default = "10", choices = ["10", "5", "8"] }'
    })  # fmt: skip
    picture, film = await planned(tmp_path, catalogue, local=False)
    assert (picture.model, picture.costs_money, picture.cost_usd) == ("paid/cheap", True, 0.009)
    # Nobody says what it costs: that is no reason to think that it is free.
    assert (film.model, film.costs_money, film.cost_usd, film.tokens) == ("paid/unsaid", True, 0.0, 15)


async def test_a_film_that_needs_a_picture_is_ordered_where_one_can_be_made_and_not_elsewhere(tmp_path: Path) -> None:
    needs = model("paid/film", "video", image='"required"')
    makes = model("paid/picture", "image")
    assert [trial.kind for trial in await planned(tmp_path, needs + makes, local=False)] == [Kind.IMAGE, Kind.VIDEO]
    upscales = model("paid/upscale", "image", image='"required"')
    assert await planned(tmp_path, needs + upscales, local=False) == []


async def test_a_model_that_takes_no_words_is_given_none(tmp_path: Path) -> None:
    [picture] = await planned(tmp_path, model("paid/dice", "image", prompt='"no"'), local=False)
    assert picture.prompt == ""


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncIterator[Studio]:
    """A studio in which nobody works, with a throw-away person who has tokens."""
    running = await open_studio(load_settings(tmp_path / "data", {}), providers={})
    somebody = person(NAME)
    await running.studio.store.people.add(somebody, grant(somebody, 50))
    yield running.studio
    await running.close()


async def test_a_job_that_nobody_has_begun_is_canceled_and_the_next_look_finds_all_clean(studio: Studio) -> None:
    owner = await studio.accounts.named(NAME)
    job, _ = await studio.store.generations.accept(generation(owner, price_each=7), None, "")
    first = await clean_up(studio, NAME)
    assert first.left == [f"the job {job.id} is still queued"]
    assert first.tokens == 0
    second = await clean_up(studio, NAME)
    assert (second.left, second.tokens) == ([], 50)
    assert await studio.store.ledger.balance(owner.id) == Balance(available=0, held=0)
    assert (await studio.accounts.named(NAME)).suspended_at is not None
    third = await clean_up(studio, NAME)
    assert (third.left, third.tokens, third.items, third.objects) == ([], 0, 0, 0)


async def test_objects_that_no_record_names_any_more_go_too(studio: Studio, tmp_path: Path) -> None:
    owner = await studio.accounts.named(NAME)
    [item] = await journey.published(studio.store, owner, previews=Previews.PENDING)
    (tmp_path / "bytes").write_bytes(b"preview")
    key = key_for(item.facts.kind, item.id, Variant.PREVIEW, "video/mp4")
    await studio.blobs.put(key, tmp_path / "bytes", "video/mp4")
    other = key_for(item.facts.kind, Ids(SystemClock()).new("med"), Variant.MASTER, "video/mp4")
    await studio.blobs.put(other, tmp_path / "bytes", "video/mp4")
    assert (await clean_up(studio, NAME)).left == [f"the previews of {item.id} are still being made"]
    claimed = await studio.store.media.claim_previews("w", studio.clock.now(), studio.clock.now() + MINUTE)
    assert claimed is not None
    await studio.store.media.finish_previews(claimed.id, claimed.fence, studio.clock.now(), {})
    done = await clean_up(studio, NAME)
    assert (done.items, done.objects, done.left) == (1, 1, [])
    bare = await studio.store.media.get(item.id)
    assert bare is not None
    assert (bare.files, bare.visibility, bare.listed) == ({}, Visibility.PRIVATE, False)
    assert [info.key async for info in studio.blobs.list("")] == [other]


async def test_two_that_clean_up_at_once_take_the_tokens_back_once(studio: Studio) -> None:
    done = await asyncio.gather(*(clean_up(studio, NAME) for _ in range(5)), return_exceptions=True)
    taken = [each.tokens for each in done if isinstance(each, CleanedUp)]
    assert sum(taken) == 50
    assert all(isinstance(each, (CleanedUp, Conflict)) for each in done)
    assert await studio.store.ledger.proof() == []


async def test_the_things_of_others_are_not_touched(studio: Studio) -> None:
    await studio.store.people.add(carol(), None)
    for name, refusal in (("carol", Invalid), ("doctor-who", Invalid), (NAME[:-1] + "0", NotFound)):
        with pytest.raises(refusal):
            await clean_up(studio, name)
    assert (await studio.accounts.named("carol")).suspended_at is None
