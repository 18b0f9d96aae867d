"""The studio as `mutoscope serve` runs it, noting how late each poll begins: ``python -m benchmarks.polling DATA``.

A line of DATA/polls for each: when it began, how long after it was due, and how long it took, all in milliseconds.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from msgspec import structs

from mutoscope import logs
from mutoscope.cli.serving import serve
from mutoscope.domain.generation import Generation, State
from mutoscope.settings import load_settings
from mutoscope.wiring import Running
from mutoscope.worker import loop
from mutoscope.worker.context import Worker
from mutoscope.worker.poll import poll


async def main(data: Path) -> None:
    """Serve until ended."""
    with (data / "polls").open("a", buffering=1) as polls:

        async def noted(worker: Worker, job: Generation) -> Generation:
            began, began_s = worker.clock.now(), time.perf_counter()
            try:
                return await poll(worker, job)
            finally:
                polls.write(f"{began} {began - job.due_at} {(time.perf_counter() - began_s) * 1000:.1f}\n")

        async def ready(running: Running) -> None:
            print(json.dumps({"base_url": running.studio.base_url}), flush=True)

        loop.STAGES = tuple(
            structs.replace(stage, run=noted) if stage.state is State.RENDERING else stage for stage in loop.STAGES
        )
        settings = load_settings(data)
        logs.configure(settings)
        await serve(settings, ready)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
