"""git over HTTP: clones by both protocols, shallow ones, pushes and fetches. Each visit has a repository of its own."""
from __future__ import annotations

import random
from pathlib import Path
from typing import Callable

from harness.exact import DIFFERS, expect
from harness.program import Ran
from harness.scenario import Excess, Facts, Scenario, Visit, everywhere

WHO = {'GIT_AUTHOR_NAME': 'a', 'GIT_AUTHOR_EMAIL': 'a@example', 'GIT_COMMITTER_NAME': 'a', 'GIT_COMMITTER_EMAIL': 'a@example',
       'GIT_AUTHOR_DATE': '1700000000 +0000', 'GIT_COMMITTER_DATE': '1700000000 +0000', 'GIT_TERMINAL_PROMPT': '0',
       'GIT_CONFIG_NOSYSTEM': '1'}


def git(visit: Visit, at: Path, *arguments: str) -> Ran:
    return visit.programs.run(visit.folder, ['git', '-c', 'init.defaultBranch=main', '-c', 'gc.auto=0', *arguments],
                              environment=WHO, at=at)


def done(ran: Ran) -> str:
    return expect(f'exit code {ran.code}', 'exit code 0')


def commit(visit: Visit, tree: Path, name: str, content: bytes) -> None:
    (tree / name).write_bytes(content)
    git(visit, tree, 'add', '.')
    git(visit, tree, 'commit', '-q', '-m', name)


def repository(visit: Visit, name: str) -> str:
    """A repository of some commits at the origin; its URL."""
    served = visit.site.root.parent / 'git' / f'{name}-{visit.server}.git'
    git(visit, visit.folder, 'init', '-q', '--bare', str(served))
    git(visit, served, 'config', 'http.receivepack', 'true')
    tree = visit.folder / 'source'
    git(visit, visit.folder, 'init', '-q', str(tree))
    chance = random.Random(2)
    for n in range(5):
        commit(visit, tree, f'file{n}', chance.randbytes(20000))
    git(visit, tree, 'push', '-q', str(served), 'main')
    return visit.url(f'git/{served.name}')


def clone_with(version: int, *arguments: str) -> Callable[[Visit], Facts]:
    def visit_it(visit: Visit) -> Facts:
        url = repository(visit, 'clone')
        facts: Facts = {}
        for time in ('first', 'again'):
            facts |= cloned(visit, time, '-c', f'protocol.version={version}', 'clone', '-q', *arguments, url, time)
        return facts
    return visit_it


def cloned(visit: Visit, name: str, *arguments: str) -> Facts:
    facts = {name: done(git(visit, visit.folder, *arguments))}
    tree = visit.folder / name
    facts[f'{name}: head'] = git(visit, tree, 'rev-parse', 'HEAD').out.strip()
    facts[f'{name}: fsck'] = done(git(visit, tree, 'fsck', '--full', '--strict'))
    facts[f'{name}: commits'] = git(visit, tree, 'rev-list', '--count', 'HEAD').out.strip()
    facts[f'{name}: changes'] = git(visit, tree, 'status', '--porcelain').out
    return facts


def push_and_fetch(visit: Visit) -> Facts:
    """Two clones push in turn, small and more than http.postBuffer holds, and each must see at once what the other did."""
    url = repository(visit, 'push')
    facts: Facts = {}
    for name in ('one', 'two'):
        facts |= cloned(visit, name, 'clone', '-q', url, name)
    chance = random.Random(3)
    for turn, (from_, to, size) in enumerate((('one', 'two', 100), ('two', 'one', 3 << 20), ('one', 'two', 100))):
        sender, receiver = visit.folder / from_, visit.folder / to
        commit(visit, sender, f'new{turn}', chance.randbytes(size))
        facts[f'turn {turn}: push'] = done(git(visit, sender, 'push', '-q', 'origin', 'main'))
        facts[f'turn {turn}: fetch'] = done(git(visit, receiver, 'fetch', '-q'))
        facts[f'turn {turn}: merge'] = done(git(visit, receiver, 'merge', '-q', '--ff-only', 'origin/main'))
        heads = {git(visit, tree, 'rev-parse', 'HEAD').out.strip() for tree in (sender, receiver)}
        facts[f'turn {turn}: head'] = heads.pop() if len(heads) == 1 else f'{DIFFERS}: {sorted(heads)}'
        facts[f'turn {turn}: fsck'] = done(git(visit, receiver, 'fsck', '--full', '--strict'))
    facts['nothing new'] = done(git(visit, visit.folder / 'one', 'fetch', '-q'))
    return facts


PACKETS = everywhere(Excess('git cuts what it sends into packets as its pipes fill', bytes=16 << 10))

SCENARIOS = [
    Scenario('git', 'clone-v0', clone_with(0), PACKETS),
    Scenario('git', 'clone-v2', clone_with(2), PACKETS),
    Scenario('git', 'shallow', clone_with(2, '--depth', '1'), PACKETS),
    Scenario('git', 'push-fetch', push_and_fetch, PACKETS),
]
