"""Wrong usage ends with 2, and settings that do not hold together with 3; nothing is made on the disk for either."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cli.command import mutoscope
from mutoscope import __version__
from mutoscope.cli import main

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"


@pytest.mark.parametrize(
    "arguments",
    [
        ("fly",),
        ("tokens", "grant", "alice", "many"),
        ("generate", "x", "--set", "size"),
        ("media", "list", "--limit", "0"),
        ("user", "create", "bob", "--password-stdin"),
        ("user", "email", "bob", "bob@mail.example", "--remove"),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ran = mutoscope(tmp_path / "data", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "Error: " in ran.err
    assert not (tmp_path / "data").exists()


def test_the_version_is_said_for_people_and_programs(tmp_path: Path) -> None:
    assert mutoscope(tmp_path / "data", "version").out == f"{__version__}\n"
    assert mutoscope(tmp_path / "data", "version", "--json").json == {"version": __version__}


def test_a_worker_of_its_own_is_not_for_the_embedded_database(tmp_path: Path) -> None:
    ran = mutoscope(tmp_path / "data", "worker", "--json")
    assert (ran.code, ran.error["code"]) == (3, "embedded")


def commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    for part, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {part}")
        else:
            yield f"{name} {part}", command


def test_every_command_and_option_is_in_the_reference() -> None:
    sections = REFERENCE.read_text().split("\n## `")[1:]
    found = dict(commands(main, "mutoscope"))
    for name, command in found.items():
        [section] = [text for text in sections if text.startswith(name)]
        options = {flag for parameter in command.params for flag in parameter.opts if flag.startswith("--")}
        assert not [flag for flag in options - {"--json"} if flag not in section], name
    assert len(sections) == len(found)
