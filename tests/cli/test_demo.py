"""`mutoscope serve --demo`, when one of its jobs fails."""

import json
from pathlib import Path

from cli.command import Server, mutoscope

BREAKS = """
[[model]]
id = "local/dream"
upstream = "no such thing"

[[model]]
id = "local/drift"
parameters.size = { label = "Size", type = "choice", default = "640x360", choices = ["640x360"] }
parameters.duration_s = { label = "Duration", type = "integer", default = 5, minimum = 1, maximum = 10 }
parameters.motion = { label = "Move", type = "choice", default = "push-in", choices = ["push-in", "orbit"] }
"""


def test_a_demo_that_fails_is_told_and_the_studio_goes_on_and_the_next_start_tries_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "catalogue.toml").write_text(BREAKS)
    with Server(data, "--demo") as server:
        assert "sign_in" in server.say()
        told = [line for line in server.log.read_text().splitlines() if line.startswith('{"error"')]
        assert [json.loads(line)["error"]["detail"].split(" could ")[0] for line in told] == ["A film from a prompt"]
        assert server.get("/healthz").is_success
    (data / "catalogue.toml").write_text(
        BREAKS.replace("no such thing", "still").replace('local/dream"', 'local/dream"\nkind = "image"')
    )
    with Server(data, "--demo") as server:
        assert "sign_in" in server.say()
        assert len(mutoscope(data, "media", "list", "--json").json["items"]) == 3
