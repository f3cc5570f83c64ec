"""What Debian calls what the runner and the clients need, and whether it is there."""
from __future__ import annotations

from typing import Callable

from harness.program import find, python_with


def program(name: str) -> Callable[[], bool]:
    return lambda: find(name) is not None


def module(name: str) -> Callable[[], bool]:
    return lambda: python_with(name) is not None


def git_over_http() -> bool:
    from origin.lighttpd import git_http_backend
    return git_http_backend() is not None


PRESENT: dict[str, Callable[[], bool]] = {
    'apt': program('apt-get'),
    'apt-utils': program('apt-ftparchive'),
    'aria2': program('aria2c'),
    'chromium': program('chromium'),
    'curl': program('curl'),
    'dpkg': program('dpkg-deb'),
    'git': git_over_http,
    'lighttpd': program('lighttpd'),
    'nodejs': program('node'),
    'python3-pip': module('pip'),
    'python3-websockets': module('websockets'),
    'wget': program('wget'),
}

# Without these there is nothing to talk to.
OF_THE_ORIGIN = ('lighttpd', 'python3-websockets')

OF_CLIENTS: dict[str, tuple[str, ...]] = {
    'curl': ('curl',),
    'wget': ('wget',),
    'aria2': ('aria2',),
    'git': ('git',),
    'pip': ('python3-pip',),
    'apt': ('apt', 'apt-utils', 'dpkg'),
    'node': ('nodejs',),
    'websocket': ('python3-websockets',),
    'chromium': ('chromium',),
}


def missing(packages: tuple[str, ...]) -> list[str]:
    return [package for package in packages if not PRESENT[package]()]


def all_missing() -> list[str]:
    return missing(tuple(PRESENT))
