"""Scenarios, each directly and in each configuration, and what went wrong."""
from __future__ import annotations

import argparse
import tempfile
import traceback
from pathlib import Path

from harness import table
from harness.access_log import Served
from harness.judge import NOTHING_MORE, differences, faults, surplus
from harness.program import Programs
from harness.proxy import CONFIGURATIONS, Proxy
from harness.scenario import Facts, Scenario, Visit
from harness.server import ServerFailed
from origin.lighttpd import Origin


class Runner:
    """The run: what it was asked for, the origin, and what went wrong."""

    def __init__(self, asked: argparse.Namespace, folder: Path, origin: Origin) -> None:
        self.asked, self.folder, self.origin = asked, folder, origin
        self.programs = Programs(asked.verbose)
        self.failed = 0

    def compare(self, scenario: Scenario) -> None:
        """One scenario, directly and in each configuration."""
        direct, wrong = self.visit(scenario, 'direct', self.origin.base)
        served = self.origin.since()
        wrong += faults(direct)
        if wrong:
            return self.fails(scenario, 'direct', served, served, wrong)
        for configuration in self.asked.configuration or CONFIGURATIONS:
            self.through(scenario, configuration, direct, served)

    def through(self, scenario: Scenario, configuration: str, direct: Facts, served: Served) -> None:
        facts: Facts = {}
        found: list[str] = []
        try:
            with self.new_folder() as folder, Proxy(self.asked.proxy, configuration, self.origin.base, Path(folder)) as proxy:
                facts, found = self.visit(scenario, configuration, proxy.base)
        except ServerFailed as failure:
            found.append(str(failure))
        now = self.origin.since()
        excess = scenario.excess.get(configuration, NOTHING_MORE)
        found += differences(direct, facts) + surplus(served, now, excess)
        if found:
            return self.fails(scenario, configuration, served, now, found)
        verdict = 'the same' if not surplus(served, now) else f'the same, and more at the origin: {excess.why}'
        print(table.row(scenario.title, configuration, served, now, verdict))
        if self.asked.verbose:
            print(table.log('directly', served) + table.log('through', now), end='')

    def visit(self, scenario: Scenario, server: str, base: str) -> tuple[Facts, list[str]]:
        """What the client says, or why it could not."""
        if self.asked.verbose:
            print(f'--- {scenario.title}, {server}')
        with self.new_folder() as folder:
            visit = Visit(server, base, Path(folder), self.origin.site, self.programs)
            try:
                return scenario.visit(visit), []
            except Exception as error:  # whatever a client did that its scenario does not expect
                if self.asked.verbose:
                    traceback.print_exc()
                return {}, [f'{type(error).__name__}: {error}']

    def fails(self, scenario: Scenario, server: str, direct: Served, now: Served, found: list[str]) -> None:
        self.failed += 1
        print(table.row(scenario.title, server, direct, now, 'FAILED'))
        for line in found:
            print(f'    {line}')
        which = '' if server == 'direct' else f' --configuration {server}'
        print(f'    again: tests/clients/run.py {scenario.title}{which} --verbose')
        if self.asked.verbose:
            print(table.log('directly', direct) + table.log('through', now), end='')

    def new_folder(self) -> tempfile.TemporaryDirectory[str]:
        """Its name is short, because clients put sockets into it."""
        return tempfile.TemporaryDirectory(prefix='', dir=self.folder, ignore_cleanup_errors=True)
