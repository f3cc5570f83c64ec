"""Node: bursts over kept connections, and fetch() with ranges, conditions and an end in the middle."""
from __future__ import annotations

import hashlib
import json
from pathlib import Path

from harness.exact import DIFFERS
from harness.scenario import Facts, Scenario, Visit, left
from harness.site import BIG

SCRIPTS = Path(__file__).resolve().parent / 'node'
NOTHING = hashlib.sha256(b'').hexdigest()


def script(visit: Visit, name: str) -> Facts:
    """What a script prints."""
    ran = visit.programs.run(visit.folder, ['node', str(SCRIPTS / name), visit.base])
    facts = json.loads(ran.out) if ran.code == 0 else {}
    return {'exit code': str(ran.code), **{key: str(value) for key, value in facts.items()}}


def agent(visit: Visit) -> Facts:
    facts = script(visit, 'agent.mjs')
    wanted = {f'many/{n}.txt 200 {digest(visit.sent(f"many/{n}.txt"))}': '100' for n in range(20)} | {'exit code': '0'}
    facts['bytes'] = 'exact' if facts == wanted else DIFFERS
    return facts


def fetch(visit: Visit) -> Facts:
    facts = script(visit, 'fetch.mjs')
    for path in ('text.txt', 'big.bin'):
        sent = visit.sent(path)
        for time in ('first', 'again'):
            wanted = {f'{path} 1000-1999, {time}': f'206 {digest(sent[1000:2000])}', f'{path}, {time}': f'200 {digest(sent)}',
                      f'{path} on its tag, {time}': f'304 {NOTHING}', f'{path} on its date, {time}': f'304 {NOTHING}'}
            for name, value in wanted.items():
                facts[f'{name}: bytes'] = 'exact' if facts.get(name) == value else DIFFERS
    return facts


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


SCENARIOS = [Scenario('node', 'agent', agent), Scenario('node', 'fetch', fetch, left(2, BIG))]
