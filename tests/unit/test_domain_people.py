"""Names and passwords."""

import pytest

import cast
from mutoscope.domain.errors import Invalid
from mutoscope.domain.people import check_name, check_password


@pytest.mark.parametrize("name", ["bob", "Alice", "a.b", "a-b_c.9", "0xx", "x" * 40])
def test_a_good_name_is_kept_as_it_is(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", "ab", "x" * 41, ".ab", "ab.", "-ab", "ab_", "a b", "a/b", "a\nb", "bob\n", "älice", "аlice", "a<b>c", "a@b", "bob\0",
        "../../etc", "éve",
    ],
)  # fmt: skip
def test_a_name_that_could_be_mistaken_or_break_something_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_name(name)
    assert "name" in refused.value.extra["fields"]


@pytest.mark.parametrize(
    "password",
    ["lighthouse", "correct horse", "пароль из слов", "x y z 1 2 3 4", "夜空の下の灯台は静か", "1234567890" * 20],
)
def test_a_good_password_is_kept_as_it_is(password: str) -> None:
    assert check_password(password, "alice") == password


@pytest.mark.parametrize(
    ("password", "name", "complaint"),
    [
        ("", "alice", "10 to 200"), ("ninechars", "alice", "10 to 200"), ("x1y2" * 51, "alice", "10 to 200"),
        ("Wonderland.Alice", "wonderland.alice", "too easy"), ("aaaaaaaaaaaa", "alice", "too easy"),
        ("abcabcabcabc", "alice", "too easy"),
    ],
)  # fmt: skip
def test_a_password_that_is_too_short_too_long_or_easy_is_refused_and_not_repeated(
    password: str, name: str, complaint: str
) -> None:
    with pytest.raises(Invalid) as refused:
        check_password(password, name)
    assert complaint in refused.value.extra["fields"]["password"]
    assert not password or password not in str(refused.value.extra) + refused.value.detail


def test_an_administrator_is_known_by_the_role() -> None:
    assert [person.is_admin for person in (cast.alice(), cast.bob(), cast.carol())] == [False, False, True]
