#!/usr/bin/env python3
"""Fails where an operation costs more instructions or allocations than the baseline says.

  bench/guard.py              counts, compares with bench/guard.baseline.json; status 1 where a figure rose by more than 3 %
  bench/guard.py --bless      counts and writes the baseline: that is how a change is accepted
  bench/guard.py --where hit  counts one case and prints where its instructions go, by function
  bench/guard.py --self-test  checks the comparison and the reading of profiles with made-up ones; counts nothing

Counted is what one operation of each case costs in user space: `guard` (bench/guard.rs) runs under valgrind's callgrind
twice, with the same requests, of which none and all are answered, and the difference is divided by their number. Start,
warm-up and the making of requests drop out. Allocations are calls of malloc and its like. The origin is a thread of this
script. Counts do not depend on how fast or busy a machine is. Needs valgrind and cargo.
"""
import argparse, concurrent.futures, json, os, platform, re, shutil, socketserver, subprocess, sys, tempfile, threading, unittest
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get('CARGO_TARGET_DIR', ROOT / 'target')) / 'guard' / 'examples' / 'guard'
BASELINE = ROOT / 'bench' / 'guard.baseline.json'
ALLOWED = 0.03
# How many operations make the noise (the seeds of hash tables) small beside what is allowed.
CASES = {'hit': 2000, 'hit_gzip': 2000, 'not_modified': 2000, 'pass': 1000, 'miss': 2000}
ALLOCATORS = {'malloc', 'calloc', 'realloc', 'posix_memalign', 'aligned_alloc', 'memalign'}


# === what a profile says ===

class Profile:
    """Instructions in all, those of each function by itself and with what it calls, those of each source file with what is
    inlined from it, and the calls of allocators."""

    def __init__(self, lines):
        self.total, self.allocations, self.own, self.inclusive, self.files = 0, 0, Counter(), Counter(), Counter()
        names, function, callee, file = {}, None, None, None
        for line in lines:
            if match := re.match(r'(c?)(fn|fl|fi|fe)=\((\d+)\)(?: (.*))?$', line):
                called, kind, number, name = match.groups()
                name = names.setdefault((kind == 'fn', number), name)
                if kind != 'fn': file = file if called else name
                elif called: callee = name
                else: function = name
            elif line.startswith('calls='):
                if plain(callee) in ALLOCATORS and plain(function) not in ALLOCATORS:
                    self.allocations += int(line[6:].split()[0])
                cost = int(next(lines).split()[1])
                if callee != function: self.inclusive[callee] += cost
            elif match := re.match(r'[\d+*-]\d* (\d+)$', line):
                self.own[function] += int(match[1]); self.files[file] += int(match[1])
            elif line.startswith('totals:'): self.total = int(line.split()[1])


def plain(name):
    """Without what glibc puts before its aliases, and without the level of a recursion."""
    return name.removeprefix('__libc_').removeprefix('__').partition("'")[0]


# === the judgement ===

def compare(baseline, counted):
    """What rose by more than is allowed, and what fell by as much, as lines of text."""
    worse, better = [], []
    for case in baseline.keys() | counted.keys():
        if case not in counted: worse.append(f'{case}: in the baseline, but not counted any more')
        elif case not in baseline: worse.append(f'{case}: not in the baseline')
        else:
            for what, now in counted[case].items():
                before = baseline[case][what]
                line = f'{case}: {now:g} {what}, {before:g} in the baseline: {percent(before, now):+.1f} %'
                if now > before * (1 + ALLOWED): worse.append(line)
                elif now < before * (1 - ALLOWED): better.append(line)
    return sorted(worse), sorted(better)


def percent(before, now):
    return (now / before - 1) * 100 if before else float('inf') if now else 0.0


# === counting ===

class Origin(socketserver.BaseRequestHandler):
    """Answers every request with the same kilobyte, in one piece, at the time at which the clock of `guard` stands."""
    BODY = b'{"text":"%s"}' % (b'lorem ipsum ' * 90)[:1013]
    ANSWER = (b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: max-age=3600\r\nETag: "0123456789abcdef"\r\n'
              b'Date: Sun, 15 Jun 2025 15:06:40 GMT\r\nContent-Length: %d\r\n\r\n' % len(BODY)) + BODY

    def handle(self):
        received = b''
        while data := self.request.recv(65536):
            received += data
            while b'\r\n\r\n' in received:
                received = received.partition(b'\r\n\r\n')[2]
                self.request.sendall(self.ANSWER)


def profile(case, total, counted, address, folder):
    out = Path(folder) / f'{case}.{counted}'
    command = ['valgrind', '-q', '--tool=callgrind', f'--callgrind-out-file={out}', PROGRAM, case, address, str(total), str(counted)]
    # Nothing of the environment: it lies on the stack, and the allocator listens to it.
    run = subprocess.run(list(map(str, command)), env={'PATH': os.environ['PATH']}, capture_output=True, text=True, timeout=300)
    if run.returncode: sys.exit(f'{case} cannot be counted:\n{run.stderr[-2000:]}')
    with open(out) as lines: return Profile(lines)


def count(cases):
    """For each case the profiles of two runs, and how many operations they differ by."""
    with socketserver.ThreadingTCPServer(('127.0.0.1', 0), Origin) as origin, tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        origin.daemon_threads, origin.block_on_close = True, False
        threading.Thread(target=origin.serve_forever, daemon=True).start()
        address = '{}:{}'.format(*origin.server_address)
        runs = {case: [pool.submit(profile, case, CASES[case], counted, address, folder) for counted in (0, CASES[case])] for case in cases}
        profiles = {case: [run.result() for run in pair] for case, pair in runs.items()}
        origin.shutdown()
    return profiles


def figures(case, before, after):
    allocations = (after.allocations - before.allocations) / CASES[case]
    if not allocations: sys.exit(f'{case}: no call of an allocator was seen, so none can be counted')
    return {'instructions': round((after.total - before.total) / CASES[case]), 'allocations': round(allocations, 1)}


def where(case, before, after):
    total = after.total - before.total
    for title, kind in (('each function by itself', 'own'), ('each function with what it calls', 'inclusive'), ('by source file', 'files')):
        costs = Counter(getattr(after, kind)); costs.subtract(getattr(before, kind))
        print(f'\n{case}: instructions of one operation, {title}')
        below_main = [(name, cost) for name, cost in costs.most_common() if cost < total * 0.999]
        for name, cost in below_main[:25]:
            print(f'{cost / CASES[case]:8.0f} {cost * 100 / total:5.1f} %  {re.sub(r"^.*/(?:registry/src/[^/]*|library)/", "", name)}')


# === the command ===

def build(is_there):
    if not shutil.which('valgrind'): sys.exit('valgrind is not installed: make guard installs it where it may')
    if not is_there: subprocess.run(['cargo', 'build', '--locked', '--profile', 'guard', '--example', 'guard'], cwd=ROOT, check=True)


def tools():
    said = lambda *command: subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return {'rustc': said('rustc', '--version').split()[1], 'valgrind': said('valgrind', '--version').removeprefix('valgrind-'),
            'libc': ' '.join(platform.libc_ver()), 'machine': platform.machine()}


def check(counted, used):
    if not BASELINE.exists(): sys.exit(f'{BASELINE.name} is missing: bench/guard.py --bless')
    stored = json.loads(BASELINE.read_text())
    worse, better = compare(stored['cases'], counted)
    for name, value in stored['taken_with'].items():
        if used[name] != value: print(f'note: the baseline was taken with {name} {value}, this is {used[name]}')
    for line in better: print(f'fell    {line}')
    if better: print('keep what was won, so that it cannot be lost again: bench/guard.py --bless')
    for line in worse: print(f'ROSE    {line}')
    if worse: sys.exit('where the instructions go: bench/guard.py --where CASE; if the rise is worth it: bench/guard.py --bless, and say why in the commit')


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--bless', action='store_true'); ap.add_argument('--where', choices=CASES, metavar='CASE')
    ap.add_argument('--self-test', action='store_true'); ap.add_argument('--no-build', action='store_true')
    a = ap.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # in order with what cargo says
    if a.self_test: return unittest.main(argv=[sys.argv[0]])
    build(a.no_build)
    profiles = count([a.where] if a.where else CASES)
    if a.where: return where(a.where, *profiles[a.where])
    counted = {case: figures(case, *pair) for case, pair in profiles.items()}
    print(f'{"":12} {"instructions":>12} {"allocations":>12}')
    for case, costs in counted.items(): print(f'{case:12} {costs["instructions"]:12} {costs["allocations"]:12g}')
    if not a.bless: return check(counted, tools())
    BASELINE.write_text(json.dumps({'taken_with': tools(), 'cases': counted}, indent=2) + '\n')
    print(f'written: {BASELINE.relative_to(ROOT)}')


class Tests(unittest.TestCase):
    BEFORE = {'hit': {'instructions': 10000, 'allocations': 20.0}}

    def judged(self, instructions, allocations):
        return compare(self.BEFORE, {'hit': {'instructions': instructions, 'allocations': allocations}})

    def test_what_stays_within_the_allowance_passes(self):
        for instructions, allocations in ((10000, 20.0), (10300, 20.6), (9700, 19.4)):
            self.assertEqual(self.judged(instructions, allocations), ([], []))

    def test_more_instructions_fail_and_are_named(self):
        worse, better = self.judged(10301, 20.0)
        self.assertEqual(worse, ['hit: 10301 instructions, 10000 in the baseline: +3.0 %'])
        self.assertEqual(better, [])

    def test_one_more_allocation_fails_and_is_named(self):
        worse, _ = self.judged(10000, 21.0)
        self.assertEqual(worse, ['hit: 21 allocations, 20 in the baseline: +5.0 %'])

    def test_fewer_are_told_and_do_not_fail(self):
        worse, better = self.judged(9000, 19.0)
        self.assertEqual(worse, [])
        self.assertEqual(len(better), 2)

    def test_a_case_on_one_side_only_fails(self):
        self.assertTrue(compare(self.BEFORE, {})[0])
        self.assertTrue(compare({}, self.BEFORE)[0])

    def test_a_profile_is_read(self):
        read = Profile(iter('positions: line\nfl=(1) a.rs\nfn=(1) serve\n16 400\nfi=(2) b.rs\n+2 5\nfe=(1)\ncfi=(2)\ncfn=(2) __libc_malloc\ncalls=3 0\n16 60\n\nfn=(2)\n7 60\n'
                            'cfn=(3) malloc\ncalls=1 0\n7 9\n\nfn=(3)\n* 9\n\ntotals: 474\n'.splitlines()))
        self.assertEqual((read.total, read.allocations), (474, 3))
        self.assertEqual(read.own, {'serve': 405, '__libc_malloc': 60, 'malloc': 9})
        self.assertEqual(read.files, {'a.rs': 469, 'b.rs': 5})
        self.assertEqual(read.inclusive, {'__libc_malloc': 60, 'malloc': 9})


if __name__ == '__main__': main()
