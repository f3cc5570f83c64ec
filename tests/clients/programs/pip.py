"""pip: from a simple index, with a cache of its own and without."""
from __future__ import annotations

import hashlib
import io
import random
import zipfile

from harness.exact import exact_file
from harness.program import python_with
from harness.scenario import Facts, Scenario, Visit
from harness.site import Site

NAME = 'sidecachetest'
WHEEL = f'{NAME}-1.0-py3-none-any.whl'
FILE = f'packages/{WHEEL}'


def fill(site: Site) -> None:
    """An index of one project."""
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, 'w') as archive:
        for name, content in (
            (f'{NAME}/__init__.py', b''),
            (f'{NAME}/data.bin', random.Random(4).randbytes(200 << 10)),
            (f'{NAME}-1.0.dist-info/METADATA', f'Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n'.encode()),
            (f'{NAME}-1.0.dist-info/WHEEL', b'Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n'),
            (f'{NAME}-1.0.dist-info/RECORD', b''),
        ):
            archive.writestr(zipfile.ZipInfo(name), content)
    site.write(FILE, wheel.getvalue())
    digest = hashlib.sha256(wheel.getvalue()).hexdigest()
    link = f'<a href="../../{FILE}#sha256={digest}">{WHEEL}</a>'
    site.write(f'simple/{NAME}/index.html', f'<!DOCTYPE html><html><body>{link}</body></html>'.encode())


def download(visit: Visit, *arguments: str) -> Facts:
    facts: Facts = {}
    for time in ('first', 'again'):
        folder = visit.folder / time
        ran = visit.programs.run(visit.folder, [
            str(python_with('pip')), '-m', 'pip', 'download', '--isolated', '--disable-pip-version-check', '--no-deps', '--quiet',
            '--index-url', visit.url('simple/'), '--dest', str(folder), *arguments, NAME])
        facts |= {time: f'exit code {ran.code}', f'{time}: bytes': exact_file(folder / WHEEL, visit.sent(FILE))}
    return facts


def with_a_cache(visit: Visit) -> Facts:
    return download(visit, '--cache-dir', str(visit.folder / 'cache'))


def without(visit: Visit) -> Facts:
    return download(visit, '--no-cache-dir')


SCENARIOS = [Scenario('pip', 'cache', with_a_cache), Scenario('pip', 'no-cache', without)]
