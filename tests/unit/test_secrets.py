"""The studio's own secrets: made once, kept for its own account, and never weak."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mutoscope.secrets import load_secrets
from mutoscope.settings import SettingsError, load_settings

GOOD = "9f4b0c1de2a7835566f1a0c3b7d8e9124455aa66bb77cc88dd99ee00ff112233"
PLAIN = load_settings(environ={})


def refusal(jwt_secret: str, data: Path) -> str:
    with pytest.raises(SettingsError) as refused:
        load_secrets(load_settings(environ={"JWT_SECRET": jwt_secret}), data)
    assert jwt_secret not in str(refused.value)
    return str(refused.value)


def test_secrets_are_made_at_first_start_and_are_the_same_afterwards(tmp_path: Path) -> None:
    first, second = load_secrets(PLAIN, tmp_path / "data"), load_secrets(PLAIN, tmp_path / "data")
    assert first == second
    assert len(first.signing) == len(first.jwt) == 1
    assert first.signing[0] != first.jwt[0].encode()
    assert first != load_secrets(PLAIN, tmp_path / "other")


def test_secret_files_are_for_the_studio_s_account_alone(tmp_path: Path) -> None:
    load_secrets(PLAIN, tmp_path)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir()}
    assert modes == {"jwt": 0o600, "signing": 0o600}
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700


def test_a_file_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    load_secrets(PLAIN, tmp_path)
    (tmp_path / "secrets" / "jwt").chmod(0o644)
    load_secrets(PLAIN, tmp_path)
    assert (tmp_path / "secrets" / "jwt").stat().st_mode & 0o777 == 0o600


def test_a_link_in_the_place_of_a_secret_is_refused(tmp_path: Path) -> None:
    load_secrets(PLAIN, tmp_path)
    (tmp_path / "key").write_text(GOOD)
    (tmp_path / "secrets" / "signing").unlink()
    (tmp_path / "secrets" / "signing").symlink_to(tmp_path / "key")
    with pytest.raises(SettingsError, match="secrets/signing"):
        load_secrets(PLAIN, tmp_path)


def test_starts_at_the_same_time_agree_on_the_secrets(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load_secrets(PLAIN, tmp_path), range(16)))
    assert len({secrets.signing for secrets in found}) == len({secrets.jwt for secrets in found}) == 1
    assert sorted(os.listdir(tmp_path / "secrets")) == ["jwt", "signing"]


def test_a_ring_has_the_newest_key_first(tmp_path: Path) -> None:
    old = load_secrets(PLAIN, tmp_path).signing[0].decode()
    (tmp_path / "secrets" / "signing").write_text(f"{GOOD}\n\n{old}\n")
    assert load_secrets(PLAIN, tmp_path).signing == (GOOD.encode(), old.encode())


def test_a_ring_that_was_emptied_is_refused_and_not_made_anew(tmp_path: Path) -> None:
    load_secrets(PLAIN, tmp_path)
    (tmp_path / "secrets" / "signing").write_text("\n")
    with pytest.raises(SettingsError, match="empty"):
        load_secrets(PLAIN, tmp_path)


def test_jwt_secret_from_outside_takes_the_place_of_the_ring(tmp_path: Path) -> None:
    secrets = load_secrets(load_settings(environ={"JWT_SECRET": GOOD}), tmp_path)
    assert secrets.jwt == (GOOD,)
    assert not (tmp_path / "secrets" / "jwt").exists()


@pytest.mark.parametrize(
    "weak",
    [
        "tiny-one",
        "a" * 64,
        "0123456789abcdef" * 4,
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "your-256-bit-secret-that-is-in-all-tutorials",
        "CHANGEME-9f4b0c1de2a7835566f1a0c3b7d8e912",
        "this-is-my-super-secret-key-for-jwt-tokens",
        "abab1212" * 8,
    ],
)
def test_a_weak_secret_from_outside_is_refused_with_a_way_to_make_a_good_one(weak: str, tmp_path: Path) -> None:
    said = refusal(weak, tmp_path)
    assert said.startswith("JWT_SECRET ")
    assert said.endswith("openssl rand -hex 32")


def test_a_weak_line_in_a_ring_is_refused(tmp_path: Path) -> None:
    load_secrets(PLAIN, tmp_path)
    (tmp_path / "secrets" / "jwt").write_text("changeme\n")
    with pytest.raises(SettingsError, match="secrets/jwt in the data folder is shorter"):
        load_secrets(PLAIN, tmp_path)


def test_a_data_folder_that_cannot_be_used_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(SettingsError, match="a file is where a folder of ours should be"):
        load_secrets(PLAIN, tmp_path / "data")


def test_secrets_do_not_show_themselves(tmp_path: Path) -> None:
    secrets = load_secrets(load_settings(environ={"JWT_SECRET": GOOD}), tmp_path)
    assert repr(secrets) == str(secrets) == "Secrets(signing=2 keys, jwt=1 keys)"


def test_machines_that_share_the_secret_sign_alike_and_keep_no_file_in_common(tmp_path: Path) -> None:
    settings = load_settings(environ={"JWT_SECRET": GOOD})
    here, there = load_secrets(settings, tmp_path / "here"), load_secrets(settings, tmp_path / "there")
    assert (here.signing[0], here.jwt) == (there.signing[0], there.jwt)
    assert GOOD.encode() not in here.signing
    assert (
        load_secrets(load_settings(environ={"JWT_SECRET": GOOD[::-1]}), tmp_path / "here").signing[0] != here.signing[0]
    )


def test_an_address_from_before_the_secret_was_given_still_opens(tmp_path: Path) -> None:
    before = load_secrets(PLAIN, tmp_path).signing[0]
    assert before in load_secrets(load_settings(environ={"JWT_SECRET": GOOD}), tmp_path).signing
