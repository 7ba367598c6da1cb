"""Proxies between this machine and a tracking server."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit


def proxy_of(uri: str) -> str:
    """Return the address of the proxy that requests to a server go through, without user and password; "" for none."""
    from requests.utils import get_environ_proxies, select_proxy

    proxy = select_proxy(uri, get_environ_proxies(uri))
    if not proxy:
        return ""
    parts = urlsplit(proxy if "://" in proxy else f"//{proxy}")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).removeprefix("//")


def proxy_advice(uri: str) -> str:
    """Name the proxy of a server that does not answer, for messages; "" without one."""
    proxy = proxy_of(uri)
    if not proxy:
        return ""
    return f"; requests go through the proxy {proxy}: correct HTTP_PROXY or HTTPS_PROXY, or add the server to NO_PROXY"
