"""`mutoscope jobs`: what became of jobs whose outcome nobody knows."""

import click

from mutoscope.cli.client import Client
from mutoscope.cli.shell import Group, Shell


@click.group(cls=Group)
def jobs() -> None:
    """Jobs whose outcome nobody knows."""


@jobs.command("unknown")
@click.option("--cursor")
@click.pass_obj
def unknown(shell: Shell, cursor: str | None) -> None:
    """List them: look each up at its provider, and then resolve it."""

    async def go(client: Client) -> None:
        await client.become(None)
        page = await client.get("/api/admin/outcomes", cursor=cursor)
        lines = [
            f"{job['id']} of {job['owner']}: {job['upstream']} at {job['provider']}, ordered {job['created_at']}, "
            f"released {job['released_at']}"
            for job in page["items"]
        ]
        shell.answer(page, "\n".join(lines) or "The outcome of every job is known.")

    shell.ask(go)


@jobs.command("resolve")
@click.argument("job")
@click.option("--provider-job", metavar="ID", help="The provider has it, under this id: the result is fetched.")
@click.option("--failed", is_flag=True, help="The provider has nothing: the tokens go back.")
@click.pass_obj
def resolve(shell: Shell, job: str, provider_job: str | None, failed: bool) -> None:
    """Say what became of one."""
    if (provider_job is None) is not failed:
        raise click.UsageError("Give --provider-job ID, or --failed.")

    async def go(client: Client) -> None:
        await client.become(None)
        found = {"provider_job": provider_job, "failed": failed}
        resolved = await client.post(f"/api/admin/outcomes/{job}", found)
        shell.answer(resolved, f"{resolved['id']} is {resolved['stage']}")

    shell.ask(go)
