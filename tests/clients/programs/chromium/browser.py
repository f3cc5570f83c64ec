"""Chromium without a window, driven by its own protocol over a pair of pipes."""
from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

from harness.program import ClientHangs, clean, find

FLAGS = ['--headless=new', '--remote-debugging-pipe', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
         '--no-default-browser-check', '--no-proxy-server', '--disable-background-networking', '--disable-component-update',
         '--disable-default-apps', '--disable-extensions', '--disable-sync',
         '--disable-features=Translate,OptimizationHints,MediaRouter']
LIMIT = 60.0

Message = dict[str, Any]


class Browser:
    """Runs inside `with`, with a profile of its own below `folder`, on an empty page."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = 0
        self.received = b''
        self.events: list[Message] = []
        self.session = ''

    def __enter__(self) -> Browser:
        commands, self.commands = os.pipe()
        self.answers, answers = os.pipe()
        # As root it has no sandbox; it loads what the runner itself has written.
        root = ['--no-sandbox'] if os.geteuid() == 0 else []
        argv = [str(find('chromium')), *FLAGS, *root, f'--user-data-dir={self.folder}/profile', 'about:blank']
        # It wants the pipes at 3 and 4.
        shell = ['sh', '-c', f'exec "$@" 3<&{commands} 4>&{answers}', 'sh', *argv]
        with open(self.folder / 'chromium.log', 'wb') as log:
            self.process = subprocess.Popen(shell, env=clean(self.folder), pass_fds=(commands, answers), start_new_session=True,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.close(commands)
        os.close(answers)
        try:
            self.session = self.attach()
            for domain in ('Page', 'Network', 'Runtime'):
                self.call(f'{domain}.enable')
        except BaseException:
            self.end()
            raise
        return self

    def attach(self) -> str:
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        return str(self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId'])

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Its network is quiet at once; a browser that tidies up takes a second for it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.commands)
        os.close(self.answers)

    def call(self, method: str, **parameters: Any) -> Message:
        """The result of a command."""
        self.number += 1
        number = self.number
        message: Message = {'id': number, 'method': method, 'params': parameters}
        if self.session:
            message['sessionId'] = self.session
        os.write(self.commands, json.dumps(message).encode() + b'\0')
        answer = self.until(method, lambda heard: heard.get('id') == number)
        if 'error' in answer:
            raise RuntimeError(f'{method}: {answer["error"]}')
        return dict(answer['result'])

    def loads(self, method: str, **parameters: Any) -> None:
        """A command that makes a page load, until it has."""
        self.events.clear()
        self.call(method, **parameters)
        if not any(event['method'] == 'Page.loadEventFired' for event in self.events):
            self.until('the page loads', lambda heard: heard.get('method') == 'Page.loadEventFired')

    def evaluate(self, expression: str) -> Any:
        """What an expression of the page comes to, once it does."""
        result = self.call('Runtime.evaluate', expression=expression, awaitPromise=True, returnByValue=True)
        if 'exceptionDetails' in result:
            raise RuntimeError(f'{expression}: {json.dumps(result["exceptionDetails"])[:500]}')
        return result['result'].get('value')

    def responses(self) -> str:
        """What it loaded since the last `loads`: path, status, and whether it had it already."""
        heard = [event['params']['response'] for event in self.events if event['method'] == 'Network.responseReceived']
        lines = [f'{response["url"].split("/", 3)[-1]} {response["status"]}{" cached" if response.get("fromDiskCache") else ""}'
                 for response in heard if response['url'].startswith('http')]
        return ', '.join(sorted(lines))

    def until(self, what: str, wanted: Callable[[Message], bool]) -> Message:
        """The next message that is wanted; events before it are kept."""
        end = time.monotonic() + LIMIT
        while True:
            while b'\0' in self.received:
                text, _, self.received = self.received.partition(b'\0')
                message = json.loads(text)
                if 'method' in message:
                    self.events.append(message)
                if wanted(message):
                    return dict(message)
            if not select.select([self.answers], [], [], max(0.0, end - time.monotonic()))[0]:
                raise ClientHangs(f'Chromium: {LIMIT:.0f} s, and still not: {what}')
            data = os.read(self.answers, 1 << 16)
            if not data:
                raise RuntimeError(f'Chromium has ended: {(self.folder / "chromium.log").read_text()[-1000:]}')
            self.received += data
