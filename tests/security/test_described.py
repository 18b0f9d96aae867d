"""Every operation of the description, asked with what fits it and with what does not, by everyone: no answer is a 5xx, and
none is off the description. Schemathesis makes the requests and judges the answers.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import hypothesis
import msgspec
import pytest
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation

from mutoscope.darkroom.port import Darkroom
from mutoscope.domain.ids import MINUTE, Millis
from mutoscope.domain.people import Person
from mutoscope.services import accounts
from mutoscope.web.openapi import describe
from security.peopled import QUICK_HASHER, WAYS, Known, Peopled
from web.house import BASE, POLICY, House, open_house, served

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(1800)]

DOCUMENT = describe(BASE)
OPERATIONS = sorted(each["operationId"] for operations in DOCUMENT["paths"].values() for each in operations.values())
LIMITLESS = msgspec.structs.replace(POLICY, orders_per_minute=10_000, registrations_per_hour=100_000)
WAIT: Millis = 3 * MINUTE
"""Between two requests, so that wrong passwords among them are never too many."""
KNOWN_OF_TEN = 7
"""How often what means something here takes the place of what was made up."""
GENERATION = GenerationConfig(with_security_parameters=False)

load_all_checks()
JUDGES = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "missing_required_header",
        "unsupported_method",
        "ignored_auth",
    ]
)


@pytest.fixture(scope="module")
def examples(request: pytest.FixtureRequest) -> int:
    """How many requests of each kind, for each operation and each way to ask."""
    return int(request.config.getoption("--examples"))


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path, darkroom: Darkroom, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A studio that takes any number of orders and hashes quickly; when it closes, its ledger has to add up."""
    monkeypatch.setattr(accounts, "HASHER", QUICK_HASHER)
    async with open_house(tmp_path, darkroom, LIMITLESS) as house:
        house.app.state.openapi = DOCUMENT
        yield house


class Asker:
    """Asks one operation of one studio, from a thread beside the studio's loop."""

    def __init__(self, house: House, loop: asyncio.AbstractEventLoop, name: str, port: int) -> None:
        self._loop, self._peopled, self._base = loop, Peopled(house), f"http://127.0.0.1:{port}"
        config = SchemathesisConfig(projects=ProjectsConfig(default=ProjectConfig(generation=GENERATION)))
        schema = schemathesis.openapi.from_url(f"{self._base}/api/openapi.json", config=config)
        self.operation: Any = schema.find_operation_by_id(name)
        self._whose: Mapping[str, Person] = self._wait(self._peopled.people())
        self._known: Known = self._wait(self._peopled.known(self._whose))

    def _wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def modes(self) -> list[GenerationMode]:
        """What fits and what does not; where nothing is taken, nothing does not fit."""
        takes = any(self.operation.iter_parameters()) or self.operation.body
        return list(GenerationMode) if takes else [GenerationMode.POSITIVE]

    def edges(self) -> Iterator[Case]:
        """One case for every bound, type, required part and method that the description has or leaves out."""
        cases: Iterator[Case] = self.operation.schema.iter_coverage_cases(
            self.operation, generation_modes=list(GenerationMode), generation_config=GENERATION,
            extra_data_source=None, error_feedback=None, session=None,
        )  # fmt: skip
        return cases

    def ask(self, case: Case, way: str, dice: random.Random) -> None:
        """With fresh credentials, and some of what is known; the answer is judged."""
        self._put_known(case, dice)
        self._peopled.house.clock.tick(WAIT)
        headers = self._wait(self._peopled.headers(way, self._whose))
        response = case.call(base_url=self._base, headers=headers)
        case.validate_response(response, checks=JUDGES, headers=headers)

    def _put_known(self, case: Case, dice: random.Random) -> None:
        """Ids, names, passwords and prices that there are, in the place of some that fit and mean nothing."""
        meta = case.meta
        assert meta is not None
        places: list[tuple[ParameterLocation, Any]] = [
            (ParameterLocation.PATH, case.path_parameters),
            (ParameterLocation.QUERY, case.query),
            (ParameterLocation.HEADER, case.headers),
            (ParameterLocation.BODY, case.body),
        ]
        for location, values in places:
            if not meta.is_negative_at(location) and isinstance(values, Mapping):
                for name in [name for name in values if name in self._known]:
                    if dice.randint(1, 10) <= KNOWN_OF_TEN:
                        values[name] = dice.choice(self._known[name])  # pyright: ignore[reportIndexIssue]


async def asked(house: House, name: str, ask_all: Callable[[Asker], None]) -> None:
    """Do that beside the running studio."""
    loop = asyncio.get_running_loop()
    async with served(house.app) as port:
        house.app.state.streams.close()  # the stream of events would have no end
        await asyncio.to_thread(lambda: ask_all(Asker(house, loop, name, port)))


async def test_the_description_that_is_tried_is_the_one_that_is_served(lasting: House) -> None:
    async with lasting.client() as client:
        served: httpx2.Response = await client.get("/api/openapi.json")
    assert served.json() == DOCUMENT


def many(asker: Asker, way: str, mode: GenerationMode, examples: int, seed: str) -> Callable[[], None]:
    """So many cases of that kind, asked in that way; the same ones for the same seed."""

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck)
    )
    @hypothesis.given(case=asker.operation.as_strategy(generation_mode=mode), dice=st.randoms(use_true_random=True))
    def ask(case: Case, dice: random.Random) -> None:
        asker.ask(case, way, dice)

    return ask


@pytest.mark.parametrize("name", OPERATIONS)
async def test_no_answer_is_off_the_description(house: House, name: str, seed: int, examples: int) -> None:
    def everyone(asker: Asker) -> None:
        for way in WAYS:
            for mode in asker.modes():
                many(asker, way, mode, examples, f"{seed} {name} {way} {mode}")()

    await asked(house, name, everyone)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_no_edge_of_the_description_is_answered_off_it(house: House, name: str, rng: random.Random) -> None:
    def everyone(asker: Asker) -> None:
        for way in ("person", "administrator"):
            for case in asker.edges():
                asker.ask(case, way, rng)

    await asked(house, name, everyone)
