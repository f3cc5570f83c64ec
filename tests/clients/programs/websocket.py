"""WebSocket clients: Node's where it has one, and Python's websockets."""
from __future__ import annotations

import json
import subprocess
from pathlib import Path

from harness.exact import expect
from harness.program import clean, find, python_with
from harness.scenario import Facts, Scenario, Visit

HERE = Path(__file__).resolve().parent


def address(visit: Visit) -> str:
    return visit.url('echo').replace('http:', 'ws:')


def pythons(visit: Visit) -> Facts:
    return said(visit, str(python_with('websockets')), str(HERE / 'websocket_client.py'), address(visit))


def nodes(visit: Visit) -> Facts:
    return said(visit, *NODE, str(HERE / 'node' / 'websocket.mjs'), address(visit))


def said(visit: Visit, *argv: str) -> Facts:
    ran = visit.programs.run(visit.folder, argv)
    facts = json.loads(ran.out) if ran.code == 0 else {}
    return {'exit code': expect(str(ran.code), '0'), **facts, 'messages': expect(facts.get('messages', 'none'), 'all exact')}


# On by itself from version 22 on, and there with this option in the later releases of version 20.
NODE = ['node', '--experimental-websocket']


def node_has_one() -> bool:
    asked = [*NODE, '-e', 'process.exit(typeof WebSocket === "function" ? 0 : 1)']
    return find('node') is not None and subprocess.run(asked, env=clean(HERE), stderr=subprocess.DEVNULL).returncode == 0


SCENARIOS = [Scenario('websocket', 'python', pythons)]
LEFT_OUT = []
if node_has_one():
    SCENARIOS.append(Scenario('websocket', 'node', nodes))
else:
    LEFT_OUT.append('websocket/node: there is no Node with a WebSocket; websocket/python says the same')
