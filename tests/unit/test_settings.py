"""What the environment may say, and how the studio answers when it says something wrong."""

import re
from pathlib import Path

import pytest

from mutoscope.domain.media import Visibility
from mutoscope.mail_settings import own_name_of, sender_of
from mutoscope.settings import INHERITED, SettingsError, describe, load_settings

SECRET = "hunter2-hunter2-hunter2"
MAIL = {
    "SMTP_HOST": "smtp.example.org",
    "SMTP_FROM": "studio@example.org",
    "MUTOSCOPE_BASE_URL": "https://studio.example.org",
}
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


def complaint(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as refusal:
        load_settings(environ=environ)
    return str(refusal.value)


def test_nothing_needs_to_be_set() -> None:
    settings = load_settings(environ={})
    assert (settings.host, settings.port, settings.base_url) == ("127.0.0.1", 8700, None)
    assert settings.data_dir == Path("mutoscope-data")
    assert settings.default_visibility is Visibility.PUBLIC
    assert (settings.gallery_open, settings.registration) == (True, "open")


def test_each_kind_of_value_is_read() -> None:
    settings = load_settings(
        environ={
            "MUTOSCOPE_PORT": "0",
            "MUTOSCOPE_GALLERY_OPEN": "false",
            "MUTOSCOPE_DEFAULT_VISIBILITY": "private",
            "MUTOSCOPE_REGISTRATION": " closed ",
            "MUTOSCOPE_BASE_URL": "https://studio.example.org:8443/",
            "MUTOSCOPE_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
        }
    )
    assert (settings.port, settings.gallery_open, settings.registration) == (0, False, "closed")
    assert settings.default_visibility is Visibility.PRIVATE
    assert settings.base_url == "https://studio.example.org:8443"
    assert settings.trusted_proxies == "10.0.0.0/8,::1"


def test_the_data_folder_of_the_command_line_goes_before_the_variable(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {"MUTOSCOPE_DATA_DIR": "/elsewhere"}).data_dir == tmp_path


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert (
        load_settings(environ={"MUTOSCOPE_PORT": "", "AWS_S3_BUCKET": " ", "MUTOSCOPE_REGISTRATION_FILE": ""}).port
        == 8700
    )


def test_a_value_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(SECRET + "\n")
    token = load_settings(environ={"MUTOSCOPE_METRICS_TOKEN_FILE": str(file)}).metrics_token
    assert token is not None
    assert token.get_secret_value() == SECRET


def test_a_value_and_a_file_for_it_are_refused(tmp_path: Path) -> None:
    said = complaint({"MUTOSCOPE_METRICS_TOKEN": SECRET, "MUTOSCOPE_METRICS_TOKEN_FILE": str(tmp_path / "token")})
    assert said == "MUTOSCOPE_METRICS_TOKEN and MUTOSCOPE_METRICS_TOKEN_FILE are both set: unset one of them."


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"x" * 70_000])
def test_a_file_that_holds_no_value_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "jwt"
    if content is not None:
        file.write_bytes(content)
    assert complaint({"JWT_SECRET_FILE": str(file)}).startswith("JWT_SECRET_FILE names a file that ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MUTOSCOPE_PORT", "eighty"),
        ("MUTOSCOPE_PORT", "65536"),
        ("MUTOSCOPE_GALLERY_OPEN", "perhaps"),
        ("MUTOSCOPE_REGISTRATION", "perhaps"),
        ("MUTOSCOPE_DEFAULT_VISIBILITY", "secret"),
        ("MUTOSCOPE_SIGN_UP_GRANT", "-1"),
        ("MUTOSCOPE_UNKNOWN_RELEASE_HOURS", "0"),
        ("MUTOSCOPE_MAX_PIXELS", "1e3"),
        ("MUTOSCOPE_BASE_URL", "studio.example.org"),
        ("MUTOSCOPE_BASE_URL", "https://studio.example.org/path"),
        ("MUTOSCOPE_BASE_URL", "https://alice:pw@studio.example.org"),
        ("MUTOSCOPE_TRUSTED_PROXIES", "10.0.0.0/8,proxy"),
        ("MUTOSCOPE_LOG_LEVEL", "loud"),
        ("MUTOSCOPE_METRICS_TOKEN", "short"),
        ("SMTP_HOST", "smtp://smtp.example.org"),
        ("SMTP_HOST", "smtp.example.org:587"),
        ("SMTP_PORT", "0"),
        ("SMTP_SECURITY", "ssl"),
        ("SMTP_FROM", "studio"),
        ("SMTP_FROM", "studio@example.org, other@example.org"),
        ("SMTP_FROM", "A\r\nBcc: x <studio@example.org>"),
        ("SMTP_FROM", "studio@example.org>\r\nBcc: <x@example.org"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_one_sentence_that_names_the_variable(name: str, value: str) -> None:
    said = complaint((MAIL if name.startswith("SMTP_") else {}) | {name: value})
    assert re.fullmatch(rf"{name} must (be|have) [^\n]+\.", said)


def test_all_that_is_wrong_is_said_at_once() -> None:
    said = complaint({"MUTOSCOPE_PORT": "x", "MUTOSCOPE_REGISTRATION": "x", "AWS_ACCESS_KEY_ID": "x"})
    assert [line.split()[0] for line in said.splitlines()] == [
        "AWS_SECRET_ACCESS_KEY", "AWS_S3_BUCKET", "MUTOSCOPE_PORT", "MUTOSCOPE_REGISTRATION",
    ]  # fmt: skip


def test_a_slip_of_the_pen_is_refused_and_the_right_name_is_offered() -> None:
    said = complaint({"MUTOSCOPE_REGISTRATON": "closed"})
    assert said == "MUTOSCOPE_REGISTRATON is no setting; did you mean MUTOSCOPE_REGISTRATION?"
    load_settings(environ={"MUTOSCOPE_TEST_SEED": "1", "PATH": "/bin", "HOST": "x", "PORT": "x"})


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({"AWS_ACCESS_KEY_ID": "k", "AWS_S3_BUCKET": "films"}, "AWS_SECRET_ACCESS_KEY is missing"),
        ({"AWS_SECRET_ACCESS_KEY": SECRET, "AWS_S3_BUCKET": "films"}, "AWS_ACCESS_KEY_ID is missing"),
        ({"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": SECRET}, "AWS_S3_BUCKET is missing"),
        ({"AWS_ENDPOINT_URL": "https://s3.example.org"}, "AWS_S3_BUCKET is missing"),
        ({"MUTOSCOPE_DELIVERY": "bucket"}, "AWS_S3_BUCKET is missing"),
        ({"MONGODB_URI": f"mongodb://u:{SECRET}@db/studio"}, "JWT_SECRET is missing"),
        *((MAIL | {name: ""}, f"{name} is missing: SMTP_") for name in MAIL),
        (MAIL | {"SMTP_USER": "studio"}, "SMTP_PASSWORD is missing"),
        (MAIL | {"SMTP_PASSWORD": SECRET}, "SMTP_USER is missing"),
        ({"SMTP_PASSWORD": SECRET}, "SMTP_HOST is missing: SMTP_PASSWORD"),
        ({"SMTP_SECURITY": "tls"}, "SMTP_HOST is missing: SMTP_SECURITY"),
    ],
)
def test_half_of_what_belongs_together_is_refused_and_the_missing_half_is_named(
    environ: dict[str, str], missing: str
) -> None:
    said = complaint(environ)
    assert said.startswith(missing)
    assert SECRET not in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(("security", "port"), [("tls", 465), ("starttls", 587), ("none", 25), ("", 587)])
def test_the_port_of_mail_is_the_usual_one_unless_it_is_set(security: str, port: int) -> None:
    assert load_settings(environ=MAIL | {"SMTP_SECURITY": security}).smtp_port_or_usual == port
    assert load_settings(environ=MAIL | {"SMTP_SECURITY": security, "SMTP_PORT": "2525"}).smtp_port_or_usual == 2525


def test_a_password_of_mail_is_not_sent_to_another_machine_for_all_to_read() -> None:
    signed = MAIL | {"SMTP_SECURITY": "none", "SMTP_USER": "studio", "SMTP_PASSWORD": SECRET}
    for host in ("smtp.example.org", "10.0.0.5", "localhost.example.org", "127.0.0.1.example.org"):
        assert complaint(signed | {"SMTP_HOST": host}).startswith("SMTP_SECURITY is none, and SMTP_PASSWORD would")
    for host in ("localhost", "127.0.0.1", "::1"):
        assert load_settings(environ=signed | {"SMTP_HOST": host}).smtp_host == host
    assert load_settings(environ=MAIL | {"SMTP_SECURITY": "none"}).smtp_user is None


def test_who_mail_is_from_may_have_a_name() -> None:
    said = {
        "studio@Example.ORG": "studio@example.org",
        "My, Studio <studio@example.org>": '"My, Studio" <studio@example.org>',
    }
    assert {text: str(sender_of(text)) for text in said} == said


def test_the_studio_calls_itself_what_its_address_says() -> None:
    said = {"https://studio.example.org:8443": "studio.example.org", "http://10.0.0.5:8700": "[10.0.0.5]"}
    said |= {"http://[::1]:8700": "[IPv6:::1]"}
    assert {address: own_name_of(address) for address in said} == said


def test_no_secret_is_shown_by_the_settings_or_by_a_complaint() -> None:
    secrets = {d.name: SECRET for d in describe() if d.secret}
    assert set(secrets) >= {"JWT_SECRET", "STABILITY_API_KEY", "MONGODB_URI", "AWS_SECRET_ACCESS_KEY"}
    secrets["MUTOSCOPE_VIDEO_SERVER_KEYS"] = f"gpu1={SECRET}"
    others = {"AWS_ACCESS_KEY_ID": "k", "AWS_S3_BUCKET": "films", "MUTOSCOPE_VIDEO_SERVERS": "gpu1=http://10.0.0.5"}
    others |= MAIL | {"SMTP_USER": "studio"}
    settings = load_settings(environ=secrets | others)
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump_json()}"
    said = complaint(secrets | {"MUTOSCOPE_PORT": "x", "MUTOSCOPE_METRICS_TOKEN": "hunter2"})
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("given", "costs_money", "grant"),
    [(None, False, 100), (None, True, 0), ("7", True, 7), ("0", False, 0)],
)
def test_the_sign_up_grant_is_nothing_while_a_provider_costs_money_until_it_is_set(
    given: str | None, costs_money: bool, grant: int
) -> None:
    settings = load_settings(environ={"MUTOSCOPE_SIGN_UP_GRANT": given} if given else {})
    assert settings.grant_at_sign_up(costs_money) == grant


def test_only_the_inherited_names_have_no_prefix() -> None:
    names = {d.name for d in describe()}
    assert {name for name in names if not name.startswith("MUTOSCOPE_")} == INHERITED


def test_the_documentation_has_every_setting_with_its_default_and_nothing_else() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert rows == [f"| `{d.name}` | {f'`{d.default}`' if d.default else ''} | {d.about} |" for d in describe()]
