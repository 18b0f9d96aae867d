"""`mutoscope doctor`: what the studio finds of itself, and what can be said when it cannot be opened."""

from typing import Any

import msgspec

from mutoscope.cli.client import studio_client
from mutoscope.cli.shell import NO_STUDIO, REFUSED, Shell
from mutoscope.services import checkup
from mutoscope.services.checkup import Finding
from mutoscope.settings import Settings, SettingsError
from mutoscope.wiring import CannotOpen

Findings = list[dict[str, Any]]


def examine(shell: Shell, only_ledger: bool) -> tuple[Findings, int]:
    """The findings as JSON has them, and the exit code."""
    try:
        settings = shell.load()
    except SettingsError as e:
        return _plain(Finding(part="settings", good=False, says=str(e), remedy="Mend the environment.")), NO_STUDIO
    return shell.run(lambda: _ask(settings, only_ledger))


async def _ask(settings: Settings, only_ledger: bool) -> tuple[Findings, int]:
    fine = Finding(part="settings", good=True, says=" ".join([f"data in {settings.data_dir}", *settings.unused()]))
    try:
        async with studio_client(settings) as client:
            found: Findings = await client.get("/operator/checkup", only_ledger=only_ledger)
    except (CannotOpen, SettingsError) as e:
        closed = Finding(part="studio", good=False, says=str(e), remedy="Do what it says, then look again.")
        return _plain(fine, closed, *checkup.machine(settings.data_dir)), NO_STUDIO
    exit_code = 0 if all(finding["good"] for finding in found) else REFUSED
    return (found if only_ledger else _plain(fine) + found), exit_code


def _plain(*findings: Finding) -> Findings:
    return msgspec.to_builtins(list(findings))


def line(finding: dict[str, Any]) -> str:
    """One finding for a person."""
    text = f"{'ok  ' if finding['good'] else 'FAIL'}  {finding['part']}: {finding['says']}"
    return text + (f"\n      {finding['remedy']}" if finding["remedy"] else "")
