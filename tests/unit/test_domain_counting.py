"""Whose look counts, and what is kept of who looked."""

import itertools

import pytest

from cast import NOON
from mutoscope.domain.counting import Visitor, day_of, is_ahead, is_robot, look_of
from mutoscope.domain.ids import DAY, HOUR

ROBOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0) Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (compatible; YandexImages/3.0; +http://yandex.com/bots)",
    "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
    "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
    "GPTBot/1.2", "ClaudeBot/1.0", "CCBot/2.0 (https://commoncrawl.org/faq/)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Twitterbot/1.0", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "TelegramBot (like TwitterBot)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)", "WhatsApp/2.24.20.89 A",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5", "LinkedInBot/1.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "curl/8.5.0", "Wget/1.21.3", "", " \t",
)  # fmt: skip
PEOPLE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 13; CUBOT KINGKONG 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
    "okhttp/4.12.0",
)
KEY, SECRET = b"a key of the studio", "a secret of the day"
SOMEBODY = Visitor(source="192.0.2.7", user_agent=PEOPLE[0])


@pytest.mark.parametrize("name", ROBOTS)
def test_robots_and_previews_are_known_by_their_names(name: str) -> None:
    assert is_robot(name)
    assert is_robot(name.upper())


@pytest.mark.parametrize("name", PEOPLE)
def test_browsers_and_what_apps_are_made_of_are_taken_for_people(name: str) -> None:
    assert not is_robot(name)


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender", "Prefetch", "preview", "  prerender"])
def test_what_a_browser_fetches_ahead_is_known_by_what_it_says(purpose: str) -> None:
    assert is_ahead(purpose)


def test_a_request_that_says_nothing_of_its_purpose_is_not_ahead() -> None:
    assert not is_ahead("  ")


def test_a_day_ends_at_midnight_utc() -> None:
    midnight = NOON + 12 * HOUR
    assert day_of(midnight - 1) == day_of(NOON) == day_of(midnight) - 1
    assert day_of(NOON + DAY) == day_of(NOON) + 1


def test_the_same_viewer_of_an_item_has_the_same_hash_all_day() -> None:
    first, again = (look_of("med_1", None, SOMEBODY, KEY, SECRET) for _ in range(2))
    assert first == again
    ahead = Visitor(source=SOMEBODY.source, user_agent=SOMEBODY.user_agent, purpose="prefetch")
    assert look_of("med_1", None, ahead, KEY, SECRET) == first


def test_a_person_is_the_same_in_every_browser() -> None:
    elsewhere = Visitor(source="198.51.100.1", user_agent=PEOPLE[1])
    assert look_of("med_1", "usr_1", SOMEBODY, KEY, SECRET) == look_of("med_1", "usr_1", elsewhere, KEY, SECRET)


def test_whatever_differs_makes_another_viewer() -> None:
    other_address = Visitor(source="192.0.2.8", user_agent=PEOPLE[0])
    other_browser = Visitor(source="192.0.2.7", user_agent=PEOPLE[1])
    looks = [
        look_of("med_1", None, SOMEBODY, KEY, SECRET),
        look_of("med_2", None, SOMEBODY, KEY, SECRET),
        look_of("med_1", None, other_address, KEY, SECRET),
        look_of("med_1", None, other_browser, KEY, SECRET),
        look_of("med_1", "usr_1", SOMEBODY, KEY, SECRET),
        look_of("med_1", "usr_2", SOMEBODY, KEY, SECRET),
        look_of("med_1", None, SOMEBODY, b"another key", SECRET),
        look_of("med_1", None, SOMEBODY, KEY, "the secret of another day"),
    ]
    for one, other in itertools.combinations(looks, 2):
        assert one.viewer != other.viewer


def test_a_hash_has_one_length_and_nothing_of_whom_it_is_of() -> None:
    long = Visitor(source="192.0.2.7", user_agent="x" * 100_000 + "\ud800")
    for look in (look_of("med_1", None, long, KEY, SECRET), look_of("med_1", "usr_1", SOMEBODY, KEY, SECRET)):
        assert len(look.viewer) == 22
        assert not [part for part in ("192.0.2", "usr_1", "xxxxxx", "Mozilla") if part in look.viewer]
