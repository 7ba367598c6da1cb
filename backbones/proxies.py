"""Proxies between this machine and a server."""

from __future__ import annotations

import ipaddress
import urllib.request
from urllib.parse import urlsplit, urlunsplit


def proxy_of(uri: str) -> str:
    """Return the proxy that requests to a server go through, without user and password; "" for none."""
    server = urlsplit(uri)
    if is_loopback(server.hostname or ""):  # `harness.utils.process_environment` adds this machine to NO_PROXY
        return ""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(server.scheme) or proxies.get("all") or ""
    if not proxy or urllib.request.proxy_bypass(server.netloc):
        return ""
    parts = urlsplit(proxy if "://" in proxy else f"//{proxy}")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).removeprefix("//")


def is_loopback(host: str) -> bool:
    """Return whether a host is `localhost` or a loopback address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_advice(uri: str) -> str:
    """Return advice on the proxy of a server that does not answer; "" if there is no proxy."""
    proxy = proxy_of(uri)
    if not proxy:
        return ""
    return f"; requests go through the proxy {proxy}: correct HTTP_PROXY or HTTPS_PROXY, or add the server to NO_PROXY"
