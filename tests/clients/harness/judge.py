"""Whether a visit through the proxy was as one at the origin itself."""
from __future__ import annotations

from harness.access_log import Served
from harness.exact import DIFFERS
from harness.scenario import Excess, Facts

NOTHING_MORE = Excess('')


def faults(facts: Facts) -> list[str]:
    """What is wrong without any comparison."""
    return [f'{name}: {value}' for name, value in facts.items() if DIFFERS in value]


def differences(direct: Facts, through: Facts) -> list[str]:
    found = faults(through)
    for name in direct | through:
        before, now = direct.get(name, 'nothing'), through.get(name, 'nothing')
        if before != now:
            found.append(f'{name}: directly {before!r}, through the proxy {now!r}')
    return found


def surplus(direct: Served, through: Served, excess: Excess = NOTHING_MORE) -> list[str]:
    """Where the origin had to do more than without the proxy, and more than is documented."""
    found = []
    if through.requests > direct.requests + excess.requests:
        found.append(f'{through.requests} requests at the origin, directly {direct.requests}')
    if through.bytes > direct.bytes + excess.bytes:
        found.append(f'{through.bytes} bytes of bodies at the origin, directly {direct.bytes}')
    return found
