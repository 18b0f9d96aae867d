"""`mutoscope doctor`: what the studio finds of itself, and what can be said when it cannot be opened."""

from collections.abc import Callable
from typing import Any

import click
import msgspec

from mutoscope.cli.client import Client, studio_client
from mutoscope.cli.rehearsing import clean_up, rehearse
from mutoscope.cli.shell import NO_STUDIO, REFUSED, Shell
from mutoscope.services import checkup
from mutoscope.services.checkup import Finding
from mutoscope.services.rehearsal import Plan
from mutoscope.settings import Settings, SettingsError
from mutoscope.wiring import CannotOpen

NEEDED = {"settings", "studio", "database", "media"}
"""Without these nothing is made to try it."""
MEND = "Mend the environment."


class Examination:
    """What was found so far. For people each finding is said as it comes, for programs all of them at the end."""

    def __init__(self, shell: Shell) -> None:
        self._shell, self.findings = shell, list[Finding]()
        self._unable = False

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        if self._unable:
            return NO_STUDIO
        return 0 if all(finding.good for finding in self.findings) else REFUSED

    def say(self, finding: Finding) -> None:
        """One more."""
        self.findings.append(finding)
        if not self._shell.as_json:
            click.echo(line(finding))

    def end(self) -> None:
        """No more."""
        if self._shell.as_json and self.findings:
            self._shell.answer(msgspec.to_builtins(self.findings), "")

    def examine(self, only_ledger: bool) -> None:
        """Try every part, or the ledger."""
        try:
            settings = self._shell.load()
        except SettingsError as e:
            self.say(Finding(part="settings", good=False, says=str(e), remedy=MEND))
            self._unable = True
            return
        self._shell.run(lambda: self._ask(settings, only_ledger))

    async def _ask(self, settings: Settings, only_ledger: bool) -> None:
        try:
            async with studio_client(settings) as client:
                if not only_ledger:
                    self.say(_settings(settings, client.runs))
                found = await client.get("/operator/checkup", only_ledger=only_ledger)
        except (CannotOpen, SettingsError) as e:
            closed = Finding(part="studio", good=False, says=str(e), remedy="Do what it says, then look again.")
            for finding in (_settings(settings, False), closed, *checkup.machine(settings.data_dir)):
                self.say(finding)
            self._unable = True
        else:
            for finding in msgspec.convert(found, list[Finding]):
                self.say(finding)

    def rehearse(self, agreed: bool) -> None:
        """Try every part, and then do what a person would. ``agreed``: whether it may cost money."""
        self.examine(only_ledger=False)
        if any(finding.part in NEEDED and not finding.good for finding in self.findings):
            return
        plan = self._with_client(_plan)
        if not plan.trials:
            return  # the finding of the models says so
        costs = _costs(plan)
        if costs and not agreed and not _agrees(costs):
            self.say(Finding(part="end to end", good=False, says=f"not done: {costs}", remedy="Agree, or say --yes."))
            return
        self._with_client(lambda client: rehearse(client, plan, self.say), work=True)

    def clean_up(self, name: str) -> None:
        """Take away what an earlier rehearsal left."""

        async def go(client: Client) -> None:
            self.say(await clean_up(client, name))

        self._with_client(go, work=True)

    def _with_client(self, action: Callable[[Client], Any], work: bool = False) -> Any:
        settings = self._shell.settings()

        async def go() -> Any:
            async with studio_client(settings, work) as client:
                return await action(client)

        return self._shell.run(go)


async def _plan(client: Client) -> Plan:
    return msgspec.convert(await client.get("/operator/rehearsal"), Plan)


def _costs(plan: Plan) -> str:
    """What it would cost the operator, in a few words; empty where it costs nothing."""
    prices = {trial.model: trial.cost_usd for trial in plan.trials if trial.costs_money}
    return " and ".join(
        f"{model} costs {f'about {usd:.3f} US dollars' if usd else 'money (the catalogue does not say how much)'}"
        for model, usd in prices.items()
    )


def _agrees(costs: str) -> bool:
    try:
        return click.confirm(f"{costs}. Go on?", err=True)
    except click.Abort:
        return False


def _settings(settings: Settings, runs: bool) -> Finding:
    """Which parts are on by which setting; no secret, and no address that may hold one."""
    key = "a key of AWS_ACCESS_KEY_ID" if settings.aws_access_key_id else "a key that the machine finds"
    server = f" at {settings.aws_endpoint_url} (AWS_ENDPOINT_URL)" if settings.aws_endpoint_url else ""
    bucket = f"media in the bucket {settings.aws_s3_bucket} (AWS_S3_BUCKET){server} by {key}"
    delivery = f"browsers get them from the {settings.delivery or 'bucket'}"
    says = [
        f"data in {settings.data_dir}",
        "records in MongoDB (MONGODB_URI)" if settings.mongodb_uri else "records in a file there",
        *([bucket, delivery] if settings.aws_s3_bucket else ["media in a folder there"]),
        f"tokens signed by {'JWT_SECRET' if settings.jwt_secret else 'a key made here'}",
        *([f"mail by {settings.smtp_host} (SMTP_HOST)"] if settings.smtp_host else []),
        *(["the studio that runs has those that it was started with"] if runs else []),
    ]
    return Finding(part="settings", good=True, says="; ".join(says))


def line(finding: Finding) -> str:
    """One finding for a person."""
    text = f"{'ok  ' if finding.good else 'FAIL'}  {finding.part}: {finding.says}"
    return text + (f"\n      {finding.remedy}" if finding.remedy else "")
