"""Which addresses of the internet protocol are the public internet. What is not surely public is refused."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

NOT_PUBLIC_4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network; 0.0.0.0 itself reaches this machine
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by a carrier's customers (CGNAT)
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local: the clouds keep their machines' secrets at 169.254.169.254
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
"""https://www.iana.org/assignments/iana-ipv4-special-registry"""
PUBLIC_6 = IPv6Network("2000::/3")
"""All that was ever given out. What carries an IPv4 address in other ranges (::ffff:0:0/96, ::/96) is outside of it."""
NOT_PUBLIC_6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocols, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    )
)
"""https://www.iana.org/assignments/iana-ipv6-special-registry"""
NAT64 = IPv6Network("64:ff9b::/96")
"""How a machine that speaks IPv6 alone reaches IPv4 (RFC 6052): the last 32 bits say where it really goes."""
OWN = tuple(
    [IPv4Network(text) for text in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
)
OWN_6 = (IPv6Network("::1/128"), IPv6Network("fc00::/7"))


def is_public(address: str) -> bool:
    """Whether an address, as numbers, is on the public internet."""
    ip = _parsed(address)
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in NOT_PUBLIC_4)
    if ip in NAT64:
        return is_public(str(IPv4Address(int(ip) & 0xFFFF_FFFF)))
    return ip in PUBLIC_6 and not any(ip in network for network in NOT_PUBLIC_6)


def is_own(address: str) -> bool:
    """Whether an address is of this machine or of a network of the operator's own: no link-local one, no multicast."""
    ip = _parsed(address)
    if isinstance(ip, IPv4Address):
        return any(ip in network for network in OWN)
    return any(ip in network for network in OWN_6)


def is_address(host: str) -> bool:
    """Whether a host is an address in its usual spelling, and no name."""
    try:
        _parsed(host)
    except ValueError:
        return False
    return True


def _parsed(address: str) -> IPv4Address | IPv6Address:
    return ip_address(address.partition("%")[0])
