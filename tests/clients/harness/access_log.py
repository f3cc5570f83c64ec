"""What the origin served, by its own access log."""
from __future__ import annotations

from dataclasses import dataclass, field

# As mod_accesslog writes it: status, bytes of the body, and to read by eye the request with what makes it special.
FORMAT = '%s %b \\"%r\\" range \\"%{Range}i\\" since \\"%{If-Modified-Since}i\\" none-match \\"%{If-None-Match}i\\"'

# Requests of the runner itself.
OWN = '/runner/'


@dataclass
class Served:
    requests: int = 0
    bytes: int = 0
    lines: list[str] = field(default_factory=list)


def served(lines: list[str]) -> Served:
    total = Served()
    for line in lines:
        if f' {OWN}' in line:
            continue
        size = line.split(' ', 2)[1]
        total.requests += 1
        total.bytes += 0 if size == '-' else int(size)
        total.lines.append(line)
    return total
