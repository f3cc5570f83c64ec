"""What Chromium does with the page."""
from __future__ import annotations

import hashlib
from typing import Any

from harness.exact import DIFFERS, expect
from harness.scenario import Excess, Facts, Scenario, Visit, left
from harness.site import BIG
from programs.chromium.browser import Browser

PARTS = {'whole': (0, None), 'bytes=10-19': (10, 20), 'bytes=1000-200000': (1000, 200001), 'bytes=-100': (-100, None),
         'no-cache': (0, None), 'reload': (0, None), 'no-store': (0, None), 'force-cache': (0, None)}


# Three parts and the two gaps between them, in each of two rounds; the whole is then put together of these.
CODED = Excess('a browser cuts no parts out of what came coded, and asks for them', requests=8, bytes=1 << 20)


def says(time: str, answer: Any) -> Facts:
    return {f'{time}: {name}': str(value) for name, value in answer.items()}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def is_whole(visit: Visit, answer: Any) -> str:
    pictures = ', '.join(f'true {30 + n}' for n in range(6))
    wanted = {'heading': 'rgb(1, 2, 3)', 'pictures': pictures, 'data': f'200 {digest(visit.sent("data.json"))}'}
    return 'exact' if answer == wanted else f'{DIFFERS}: {answer}'


def loaded(visit: Visit, browser: Browser, time: str) -> Facts:
    """What the page says of itself, and what the browser loaded for it."""
    answer = browser.evaluate('loaded()')
    return {f'{time}: bytes': is_whole(visit, answer), f'{time}: loaded': browser.responses()}


def load(visit: Visit) -> Facts:
    """The page, again as a link would bring it, reloaded, and reloaded hard."""
    facts: Facts = {}
    with Browser(visit.folder) as browser:
        for time in ('first', 'again'):
            browser.loads('Page.navigate', url=visit.url('page/'))
            facts |= loaded(visit, browser, time)
        for time in ('reload', 'second reload'):
            browser.loads('Page.reload')
            facts |= loaded(visit, browser, time)
        for time in ('hard reload', 'second hard reload'):
            browser.loads('Page.reload', ignoreCache=True)
            facts |= loaded(visit, browser, time)
    return facts


def in_parts(visit: Visit) -> Facts:
    facts: Facts = {}
    with Browser(visit.folder) as browser:
        browser.loads('Page.navigate', url=visit.url('page/'))
        for path in ('text.txt', 'medium.bin'):
            sent = visit.sent(path)
            answer = browser.evaluate(f'inParts("../{path}")')
            facts |= says(path, answer)
            for name, (first, last) in PARTS.items():
                for time in ('first', 'again'):
                    wanted = f'{206 if name.startswith("bytes") else 200} {digest(sent[first:last])}'
                    facts[f'{path}: {name}, {time}: bytes'] = 'exact' if answer[f'{name}, {time}'] == wanted else DIFFERS
    return facts


def leave(visit: Visit) -> Facts:
    """A large file that is left in the middle, and then loaded whole."""
    with Browser(visit.folder) as browser:
        browser.loads('Page.navigate', url=visit.url('page/'))
        answer = browser.evaluate('left("../big.bin")')
    wanted = {'left': '200', 'whole': f'200 {digest(visit.sent("big.bin"))}'}
    return {'bytes': 'exact' if answer == wanted else f'{DIFFERS}: {answer}'}


def websocket(visit: Visit) -> Facts:
    facts: Facts = {}
    with Browser(visit.folder) as browser:
        browser.loads('Page.navigate', url=visit.url('page/'))
        for time in ('first', 'again'):
            facts[time] = expect(browser.evaluate('echoed()'), 'all exact, 1000, true')
    return facts


SCENARIOS = [
    Scenario('chromium', 'page', load),
    Scenario('chromium', 'parts', in_parts, {'none': CODED, 'small': CODED}),
    Scenario('chromium', 'left', leave, left(1, BIG)),
    Scenario('chromium', 'websocket', websocket),
]
