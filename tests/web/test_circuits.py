"""The circuit breakers of providers, on the page of figures."""

import httpx2
import pytest
from msgspec.structs import replace

from mutoscope.outgoing import BreakerNumbers, Destination, Outgoing, OutgoingError, Trouble
from outgoing.far import TestTime, always, answer, serving
from web.house import BASE, House, create_app


class Outside:
    """As much of a provider as the figures look at."""

    def __init__(self, outgoing: Outgoing) -> None:
        self.outgoing = outgoing


async def circuit(house: House, providers: dict[str, object]) -> set[str]:
    app = create_app(replace(house.studio, providers=providers), None)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=BASE) as client:
        lines = (await client.get("/metrics")).text.splitlines()
    return {line for line in lines if line.startswith("mutoscope_provider_circuit{")}


def shown(state: str) -> set[str]:
    return {
        f'mutoscope_provider_circuit{{provider="far",state="{each}"}} {float(each == state)}'
        for each in ("closed", "open", "half_open")
    }


async def test_the_figures_say_how_each_circuit_stands(lasting: House) -> None:
    time = TestTime()
    async with serving(always(answer(503))) as server:
        outgoing = Outgoing(
            Destination(name="far", base_url=f"http://127.0.0.1:{server.port}"),
            breaker=BreakerNumbers(failures=2, pause_s=30),
            time=time,
        )
        providers = {**lasting.studio.providers, "far": Outside(outgoing), "nowhere": object()}
        assert await circuit(lasting, providers) == shown("closed")
        for _ in range(2):
            await outgoing.ask("POST", "/jobs")
        assert await circuit(lasting, providers) == shown("open")
        with pytest.raises(OutgoingError) as caught:
            await outgoing.ask("POST", "/jobs")
        assert (caught.value.trouble, len(server.asked)) == (Trouble.CIRCUIT_OPEN, 2)
        time.seconds += 30
        assert await circuit(lasting, providers) == shown("half_open")
        server.handler = always(answer())
        await outgoing.ask("POST", "/jobs")
        assert await circuit(lasting, providers) == shown("closed")
        await outgoing.close()


class Pool:
    """As much of a provider of several servers as the figures look at."""

    def __init__(self, *bases: str) -> None:
        self.pool = {base: Outgoing(Destination(name="pool", base_url=base)) for base in bases}


async def test_the_figures_say_it_of_every_server_of_a_pool(lasting: House) -> None:
    pool = Pool("https://one.example", "https://two.example")
    closed = [line for line in await circuit(lasting, {"comfyui": pool}) if line.endswith("1.0")]
    assert sorted(closed) == [
        f'mutoscope_provider_circuit{{provider="comfyui https://{name}.example",state="closed"}} 1.0'
        for name in ("one", "two")
    ]
    for outgoing in pool.pool.values():
        await outgoing.close()
