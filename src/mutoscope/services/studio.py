"""Everything that the web, the command line and agents may call, in one place. Made by the wiring."""

from collections.abc import Mapping

import msgspec

from mutoscope.blobs.port import Blobs
from mutoscope.darkroom.port import Darkroom
from mutoscope.domain.ids import Clock
from mutoscope.providers.port import Provider
from mutoscope.services.accounts import Accounts
from mutoscope.services.addresses import Addresses
from mutoscope.services.collections import Collections
from mutoscope.services.counting import Counting
from mutoscope.services.emails import Emails
from mutoscope.services.gallery import Gallery
from mutoscope.services.generate import Categories, Generate
from mutoscope.services.hooks import Hooks
from mutoscope.services.invites import Invites
from mutoscope.services.keys import Keys
from mutoscope.services.liking import Liking
from mutoscope.services.limits import Limits
from mutoscope.services.links import Links
from mutoscope.services.mail import Mail
from mutoscope.services.outcomes import Outcomes
from mutoscope.services.policy import Policy
from mutoscope.services.resets import Resets
from mutoscope.services.sessions import Sessions
from mutoscope.services.sharing import Sharing
from mutoscope.services.tokens import Tokens
from mutoscope.services.unlocking import Unlocking
from mutoscope.spool import Spool
from mutoscope.store.port import Events, Stats, Store


class Studio(msgspec.Struct, frozen=True, kw_only=True):
    """The services of one running studio."""

    accounts: Accounts
    sessions: Sessions
    keys: Keys
    invites: Invites
    limits: Limits
    resets: Resets
    emails: Emails
    mail: Mail | None = None
    """None where no server takes mail."""
    generate: Generate
    outcomes: Outcomes
    hooks: Hooks
    gallery: Gallery
    collections: Collections
    unlocking: Unlocking
    counting: Counting
    liking: Liking
    sharing: Sharing
    tokens: Tokens
    addresses: Addresses
    links: Links
    categories: Categories
    events: Events
    stats: Stats
    store: Store
    blobs: Blobs
    darkroom: Darkroom
    spool: Spool
    providers: Mapping[str, Provider] = {}
    """Those that are turned on, by name."""
    clock: Clock
    policy: Policy
    base_url: str
    """How people reach the studio, such as ``http://127.0.0.1:8700``, without a slash at the end."""
