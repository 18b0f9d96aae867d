"""Where a viewer gets an item's files: signed addresses of the studio, of a CDN before it, or of the bucket that has the bytes."""

from mutoscope.blobs.port import Blobs, BlobsUnavailable
from mutoscope.domain.media import BLURRED, Media, Variant
from mutoscope.domain.rights import STRANGER, Viewer, allowed
from mutoscope.services.addresses import Addresses
from mutoscope.services.policy import Policy


class Links:
    """Makes them. ``base_url`` is the studio's own address."""

    def __init__(self, addresses: Addresses, blobs: Blobs, policy: Policy, base_url: str) -> None:
        self._addresses, self._blobs, self._policy, self._base_url = addresses, blobs, policy, base_url

    async def of(self, viewer: Viewer, item: Media) -> dict[str, str]:
        """The address of each variant that the viewer may have, by its name. They stay as they are within a window.

        ``viewer`` as `Gallery.knowing` gives them. Of an open item the blurred files, if it has any, are nobody's concern.
        """
        return {
            variant.value: await self.elsewhere(viewer, item, variant)
            or self._base_url + self._addresses.path(item, variant, bound_to(viewer, item, variant))
            for variant in item.files
            if allowed(viewer, item, variant) and (item.locked or variant not in BLURRED)
        }

    async def elsewhere(self, viewer: Viewer, item: Media, variant: Variant) -> str | None:
        """A signed address of the CDN or of the bucket for whoever was found to have the right to that file.

        None where the studio has to send it.
        """
        if self._policy.cdn_url is not None:
            return self._at_cdn(self._policy.cdn_url, viewer, item, variant)
        if not self._policy.from_bucket:
            return None
        try:
            return await self._blobs.presign(item.files[variant].key, self._policy.address_window_ms // 1000)
        except BlobsUnavailable:
            return None

    def _at_cdn(self, cdn_url: str, viewer: Viewer, item: Media, variant: Variant) -> str | None:
        # Whoever comes by a signed address may be the CDN. And the CDN comes as a stranger: what is in the trash or
        # hidden is not for it, so those who still see that get it from the studio.
        # And what is seen through a share link is to end with the link, so no shared cache may have it.
        if viewer.signed is not None or viewer.link_id is not None or not opens_alone((item.id, variant), item):
            return None
        return cdn_url + self._addresses.path(item, variant)


def bound_to(viewer: Viewer, item: Media, variant: Variant) -> str | None:
    """For whom alone an address of the studio is made: for a share link, and for the viewer where strangers may not have it."""
    if viewer.link_id is not None:
        return viewer.link_id
    return None if allowed(STRANGER, item, variant) else viewer.person_id


def opens_alone(signed: tuple[str, Variant], item: Media) -> bool:
    """Whether a signed address of the item opens for whoever has it, and nothing but it is looked at."""
    return allowed(Viewer(signed=signed), item, signed[1])
