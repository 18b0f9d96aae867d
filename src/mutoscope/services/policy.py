"""The house rules that an operator decides, as the services need them."""

import msgspec

from mutoscope.darkroom.port import MediaLimits
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Visibility


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Made from the settings by the wiring. Tokens are whole, limits are in what their names say."""

    default_visibility: Visibility
    gallery_open: bool
    """Whether visitors who have not signed in may browse the public gallery."""
    registration_open: bool
    invites_open: bool = False
    """Whether people with an invitation may make their own account; where registration is open they may anyhow."""
    sign_up_grant: int
    house_share_percent: int = 20
    """Of what unlocks bring, the house's part; the rest is the owner's."""
    address_window_ms: Millis
    upload_limits: MediaLimits
    from_bucket: bool = False
    """Whether browsers get media by signed addresses of the bucket instead of through the studio."""
    cdn_url: str | None = None
    """The address of the shared caches in front of the studio that browsers get media from; None without any."""
    orders_per_minute: int = 120
    """Of one person; a few times as many from one address."""
    registrations_per_hour: int = 10
    """From one address."""
    behind_proxy: bool = False
    """Whether proxies are trusted to say whose request they pass on."""
    unknown_release_ms: Millis
    """How long a job of unknown outcome holds its tokens."""
