"""apt: the lists twice, and a package, with a configuration of its own that knows nothing of this system's."""
from __future__ import annotations

import gzip
import random
import re
import subprocess
from pathlib import Path

from harness.exact import exact_file, expect
from harness.program import Ran, clean
from harness.scenario import Facts, Scenario, Visit
from harness.site import Site

NAMES = [f'sidecache-test-{n}' for n in range(3)]

CONFIGURATION = '''
Dir "{folder}/";
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc "{folder}/etc";
Dir::Log "{folder}/log";
APT::Architecture "all";
APT::Architectures {{ "all"; }};
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::http::Proxy "DIRECT";
'''


def fill(site: Site) -> None:
    """A repository of some packages."""
    build, chance = site.root.parent / 'packages', random.Random(5)
    top = site.root / 'apt'
    (top / 'pool').mkdir(parents=True)
    for name in NAMES:
        tree = build / name
        (tree / 'DEBIAN').mkdir(parents=True)
        (tree / 'DEBIAN' / 'control').write_text(
            f'Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a test\n')
        (tree / 'usr').mkdir()
        (tree / 'usr' / name).write_bytes(chance.randbytes(100 << 10))
        tool(build, 'dpkg-deb', '--root-owner-group', '--build', str(tree), str(top / 'pool' / f'{name}_1.0_all.deb'))
    packages = tool(top, 'apt-ftparchive', 'packages', 'pool')
    site.write('apt/dists/stable/main/binary-all/Packages', packages)
    site.write('apt/dists/stable/main/binary-all/Packages.gz', gzip.compress(packages, mtime=0))
    described = [f'APT::FTPArchive::Release::{what}' for what in ('Suite=stable', 'Components=main', 'Architectures=all')]
    options = [word for option in described for word in ('-o', option)]
    site.write('apt/dists/stable/Release', tool(top / 'dists' / 'stable', 'apt-ftparchive', *options, 'release', '.'))


def tool(folder: Path, *argv: str) -> bytes:
    return subprocess.run(argv, cwd=folder, env=clean(folder), check=True, capture_output=True).stdout


def prepare(visit: Visit) -> None:
    for name in ('state/lists/partial', 'cache/archives/partial', 'etc/apt.conf.d', 'etc/preferences.d', 'log'):
        (visit.folder / name).mkdir(parents=True)
    (visit.folder / 'status').touch()
    (visit.folder / 'etc' / 'sources.list').write_text(f'deb [trusted=yes] {visit.url("apt")} stable main\n')
    (visit.folder / 'apt.conf').write_text(CONFIGURATION.format(folder=visit.folder))


def apt(visit: Visit, *arguments: str) -> Ran:
    own = {'APT_CONFIG': str(visit.folder / 'apt.conf')}
    return visit.programs.run(visit.folder, ['apt-get', '-q', *arguments], environment=own)


def verdict(visit: Visit, ran: Ran) -> str:
    """Its exit code, and what it says of each file: Get, Hit or Ign."""
    lines = re.findall(r'^(Get|Hit|Ign|Err):\d+ (.*?)(?: \[.*\])?$', visit.plain(ran.out), re.M)
    return f'exit code {ran.code}, ' + ', '.join(sorted(f'{word} {what}' for word, what in lines))


def update(visit: Visit) -> Facts:
    prepare(visit)
    facts = {f'update, {time}': verdict(visit, apt(visit, 'update')) for time in ('first', 'second', 'third')}
    facts['second'] = expect(', '.join(re.findall(r'Get|Hit|Err', facts['update, second'])), 'Hit')
    for name in NAMES:
        file = f'{name}_1.0_all.deb'
        facts[f'{name}'] = verdict(visit, apt(visit, 'download', name))
        facts[f'{name}: bytes'] = exact_file(visit.folder / file, visit.sent(f'apt/pool/{file}'))
    facts['lists'] = str(sorted(path.name.split('_apt_')[-1] for path in (visit.folder / 'state' / 'lists').glob('*_apt_*')))
    return facts


SCENARIOS = [Scenario('apt', 'update', update)]
