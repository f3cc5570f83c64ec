#!/usr/bin/env python3
"""Real clients at an origin and at sidecache before it: the same bytes, the same verdicts, and no more work for the origin.

  tests/clients/run.py                              all clients, in all configurations
  tests/clients/run.py curl git/push-fetch          these alone
  tests/clients/run.py curl --configuration ttl -v  with each command, its output, and the log of the origin
  tests/clients/run.py --missing                    prints the Debian packages that are not installed
  tests/clients/run.py --present-only               a client that is not installed fails nothing

Prints a row for each scenario and configuration: requests and bytes of bodies that the origin served directly and through the
proxy. Exit code 1 where a fact differs, where the origin had to do more, or where a client could not be run.
"""
from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from harness import table
from harness.packages import OF_CLIENTS, OF_THE_ORIGIN, all_missing, missing
from harness.proxy import CONFIGURATIONS
from harness.runner import Runner
from harness.scenario import Scenario
from harness.self_test import self_test
from harness.site import Site, fill
from origin.lighttpd import Origin

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get('CARGO_TARGET_DIR', ROOT / 'target')) / 'debug' / 'sidecache'


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('which', nargs='*', metavar='CLIENT[/SCENARIO]', help='these alone')
    parser.add_argument('--configuration', action='append', choices=list(CONFIGURATIONS), help='this alone; may be repeated')
    parser.add_argument('--proxy', type=Path, default=BINARY, help='the sidecache to run [%(default)s]')
    parser.add_argument('--present-only', action='store_true', help='a client that is not installed fails nothing')
    parser.add_argument('--missing', action='store_true', help='print the Debian packages that are not installed')
    parser.add_argument('--self-test', action='store_true', help='check the comparison with made-up facts; runs no client')
    parser.add_argument('--verbose', '-v', action='store_true', help='show each command and the log of the origin')
    return parser.parse_args()


def wanted(which: list[str], client: str, title: str = '') -> bool:
    """Whether this scenario, or any of this client, was asked for."""
    return not which or client in which or title in which or not title and any(name.startswith(f'{client}/') for name in which)


def main() -> int:
    asked = arguments()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that every server that it has started ends with it
    if asked.self_test:
        return 0 if self_test() else 1
    if asked.missing:
        print(' '.join(all_missing()))
        return 0
    gone = missing(OF_THE_ORIGIN)
    if gone:
        print(f'NOTHING WAS RUN: there is no origin without {" ".join(gone)}', file=sys.stderr)
        return 1
    if not asked.proxy.exists():
        print(f'there is no {asked.proxy}: cargo build, or name one with --proxy', file=sys.stderr)
        return 1
    return run(asked)


def run(asked: argparse.Namespace) -> int:
    began = time.monotonic()
    not_run = {}
    with tempfile.TemporaryDirectory(prefix='clients-') as name:
        folder = Path(name)
        site = Site(folder / 'site')
        fill(site)
        scenarios: list[Scenario] = []
        left_out: list[str] = []
        for client, packages in OF_CLIENTS.items():
            if not wanted(asked.which, client):
                continue
            gone = missing(packages)
            if gone:
                not_run[client] = gone
                continue
            module = importlib.import_module(f'programs.{client}')
            if hasattr(module, 'fill'):
                module.fill(site)
            left_out += getattr(module, 'LEFT_OUT', [])
            scenarios += [scenario for scenario in module.SCENARIOS if wanted(asked.which, client, scenario.title)]
        with Origin(folder, site) as origin:
            print(table.HEADING)
            runner = Runner(asked, folder, origin)
            for scenario in scenarios:
                runner.compare(scenario)
    for what in left_out:
        print(f'LEFT OUT: {what}')
    for client, gone in not_run.items():
        print(f'NOT RUN: {client}, which needs Debian\'s {" ".join(gone)}')
    took = time.monotonic() - began
    print(f'{len(scenarios)} scenarios, {runner.failed} failures, {len(not_run)} clients not run, {took:.0f} s')
    if not scenarios:
        print('nothing of that name')
    bad = runner.failed or not scenarios or (not_run and not asked.present_only)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
