"""What deploy/ promises: an example of every setting, and files that fit each other and the settings."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from mutoscope.secrets import load_secrets
from mutoscope.settings import Settings, describe, load_settings, variable

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ACCOUNT = 10001
"""Of the Dockerfile."""


def examples() -> dict[str, tuple[str, str]]:
    """By name: the first line of what is said about it, and the value behind the comment sign."""
    text = (DEPLOY / ".env.example").read_text()
    blocks = re.findall(r"^# (.+)\n(?:# .+\n)*#([A-Z0-9_]+)=(.*)$", text, re.MULTILINE)
    assert len(blocks) == len(re.findall(r"^#\w+=", text, re.MULTILINE)), "an example without a word about it"
    return {name: (about, value) for about, name, value in blocks}


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def mounts(service: dict[str, Any]) -> list[str]:
    """What of deploy/ a service has mounted."""
    return [volume.split(":")[0].removeprefix("./") for volume in service.get("volumes", ())]


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A copy of deploy/ after prepare.sh, which needs root."""
    if os.getuid() != 0 or shutil.which("openssl") is None:
        pytest.skip("NOT TRIED: deploy/prepare.sh needs root and openssl")
    copy = tmp_path / "deploy"
    shutil.copytree(DEPLOY, copy, ignore=shutil.ignore_patterns("secrets", "state"))
    subprocess.run([copy / "prepare.sh"], check=True, stdout=subprocess.DEVNULL)
    return copy


def test_the_example_has_every_setting_as_the_documentation_has_it_and_nothing_else() -> None:
    assert [(name, about) for name, (about, _) in examples().items()] == [(d.name, d.about) for d in describe()]


def test_the_example_shows_the_defaults_and_no_secret() -> None:
    shown = {name: value for name, (_, value) in examples().items()}
    assert {d.name: shown[d.name] for d in describe() if d.default} == {
        d.name: d.default for d in describe() if d.default
    }
    assert [d.name for d in describe() if d.secret and shown[d.name]] == []


def test_the_example_sets_nothing_until_a_comment_sign_is_taken_away() -> None:
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_every_value_of_the_example_is_taken_and_the_defaults_change_nothing() -> None:
    shown = {name: value for name, (_, value) in examples().items()}
    secrets = {d.name: "gpu1=0123456789abcdef" for d in describe() if d.secret}  # a form that each may have
    settings = load_settings(environ=shown | secrets)
    for field in Settings.model_fields:
        given = shown[variable(field)] or secrets.get(variable(field))
        assert (getattr(settings, field) is not None) == bool(given), f"{field}: {given!r} was not taken"
    defaults = {d.name: d.default for d in describe() if d.default}
    assert load_settings(environ=defaults) == load_settings(environ={})


def test_compose_has_no_part_that_is_not_there_or_that_prepare_does_not_make(prepared: Path) -> None:
    services, secrets = compose()["services"], compose()["secrets"]
    named = {path for service in services.values() for path in mounts(service)}
    named |= {secret["file"] for secret in secrets.values()} | {"secrets/s3.env"}
    assert sorted(path for path in named if not (prepared / path).exists()) == []
    made = {
        path.relative_to(prepared).as_posix()
        for folder in ("secrets", "state")
        for path in (prepared / folder).iterdir()
    }
    assert made <= named
    assert {name for service in services.values() for name in service["secrets"]} == set(secrets)


def test_what_compose_sets_holds_together(prepared: Path) -> None:
    environ: dict[str, str] = compose()["services"]["studio"]["environment"]
    here = {name: value.replace("/run/secrets", f"{prepared}/secrets") for name, value in environ.items()}
    settings = load_settings(environ=here)
    assert settings.mongodb_uri is not None
    assert (settings.aws_s3_bucket, settings.delivery) == ("media", "studio")
    load_secrets(settings, prepared / "state" / "studio")


def test_every_container_is_shut_in_and_each_process_of_ours_has_a_folder_of_its_own() -> None:
    services = compose()["services"]
    for name, service in services.items():
        assert service["user"] == f"{ACCOUNT}:{ACCOUNT}", name
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    ours = [mounts(service)[0] for service in services.values() if service["image"] == "mutoscope:local"]
    assert len(ours) == len(set(ours)) == 3
    assert [name for name, service in services.items() if "ports" in service] == ["studio"]
    assert [port for port in services["studio"]["ports"] if not port.startswith("127.0.0.1:")] == []


def test_prepare_makes_what_only_one_account_may_read_and_changes_nothing_the_second_time(prepared: Path) -> None:
    paths = sorted([*(prepared / "secrets").iterdir(), *(prepared / "state").iterdir()])
    before = {path: path.read_bytes() for path in paths if path.is_file()}
    again = subprocess.run([prepared / "prepare.sh"], check=True, capture_output=True, text=True)
    assert (again.stdout, again.stderr) == ("", "")
    assert {path: path.read_bytes() for path in before} == before
    for path in [prepared / "secrets", prepared / "state", *paths]:
        said = path.stat()
        assert (said.st_uid, said.st_gid, stat.S_IMODE(said.st_mode) & 0o077) == (ACCOUNT, ACCOUNT, 0), path


def test_prepare_keeps_no_secret_that_was_not_made(prepared: Path) -> None:
    lost = [prepared / "secrets" / name for name in ("jwt_secret", "mongodb_uri", "s3_access_key_id")]
    no_random = prepared / "bin" / "openssl"
    no_random.parent.mkdir()
    no_random.write_text("#!/bin/sh\nexit 1\n")
    no_random.chmod(0o755)
    for path in lost:
        path.unlink()
        failed = subprocess.run(
            [prepared / "prepare.sh"], env=os.environ | {"PATH": f"{no_random.parent}:{os.environ['PATH']}"}
        )
        assert failed.returncode != 0
        assert not path.exists()
        subprocess.run([prepared / "prepare.sh"], check=True, stdout=subprocess.DEVNULL)
        assert path.stat().st_size > 20


def test_the_image_is_made_from_files_that_are_there_and_that_its_ignore_file_lets_in() -> None:
    let_in = {
        line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")
    }
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
        for source in line.split()
    ]
    assert set(copied) == let_in
    assert [source for source in copied if not (ROOT / source).exists()] == []


def test_studio_and_worker_have_the_same_walls_under_systemd() -> None:
    def walls(unit: str) -> list[str]:
        lines = (DEPLOY / unit).read_text().splitlines()
        return [
            line for line in lines if not re.match(r"#|Description=|ExecStart=|StateDirectory=|ReadWritePaths=", line)
        ]

    assert walls("mutoscope.service") == walls("mutoscope-worker.service")


def test_the_pages_for_operators_name_no_file_that_is_not_there() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]
    links = [
        (page.name, link)
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / link).exists()
    ]
    assert len(pages) >= 6
    assert links == []
