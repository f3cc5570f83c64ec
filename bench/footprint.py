#!/usr/bin/env python3
"""What the process costs in memory: idle, and with its memory tier filled to the limit.

  bench/footprint.py [--limit-mib 64] [--sizes 256,65536] [--mixed] [--no-build]

For each body size a fresh proxy gets more distinct objects than fit; with --mixed one gets a million of 256 bytes and then a
thousand of 500,000. Printed are the time until it is ready, the resident memory when idle, and, when full, the resident memory
beside the limit. `ratio` is (resident - idle) / limit.
"""
import argparse, os, re, socket, subprocess, sys, tempfile, time, urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get('CARGO_TARGET_DIR', ROOT / 'target')) / 'dist'
PORT, ORIGIN = 9202, 9200


def wait(port):
    for _ in range(2000):
        try: return socket.create_connection(('127.0.0.1', port), 0.2).close()
        except OSError: time.sleep(0.001)
    sys.exit(f'nothing listens on {port}')


def resident(process):
    return int(re.search(r'VmRSS:\s+(\d+)', Path(f'/proc/{process.pid}/status').read_text())[1]) / 1024


def metric(name):
    text = urllib.request.urlopen(f'http://127.0.0.1:{PORT + 1000}/metrics').read().decode()
    return float(re.search(rf'^{name} (\S+)', text, re.M)[1])


def fill(count, first=0):
    """Pipelined GETs of distinct paths, in batches, so that the client is not what is measured."""
    s = socket.create_connection(('127.0.0.1', PORT)); s.settimeout(30)
    batch = 50
    for start in range(first, first + count, batch):
        s.sendall(b''.join(b'GET /%d HTTP/1.1\r\nHost: bench\r\n\r\n' % n for n in range(start, start + batch)))
        seen, tail = 0, b''
        while seen < batch:
            data = s.recv(1 << 20)
            if not data: sys.exit('the proxy closed the connection')
            data = tail + data
            seen += data.count(b'"}'); tail = data[-1:]
    s.close()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--limit-mib', type=int, default=64); ap.add_argument('--sizes', default='256,65536')
    ap.add_argument('--mixed', action='store_true'); ap.add_argument('--no-build', action='store_true')
    a = ap.parse_args()
    if not a.no_build:
        subprocess.run(['cargo', 'build', '--locked', '--profile', 'dist', '--bin', 'sidecache', '--example', 'bare_hyper'], cwd=ROOT, check=True)
    enough = lambda size: int(a.limit_mib * (1 << 20) / size * (0.5 if size < 4096 else 1.5)) // 50 * 50
    runs = [[(size, enough(size))] for size in map(int, a.sizes.split(','))]
    if a.mixed: runs = [[(256, 1_000_000), (500_000, 1_000)]]
    for run in runs:
        with tempfile.NamedTemporaryFile('w', suffix='.toml') as config:
            config.write(f'[server]\nlisten = "127.0.0.1:{PORT}"\nworkers = 2\n[admin]\nlisten = "127.0.0.1:{PORT + 1000}"\n[log]\naccess = false\n'
                         f'[upstream]\nurl = "http://127.0.0.1:{ORIGIN}"\n[cache.memory]\nmax = "{a.limit_mib}MiB"\n'); config.flush()
            began = time.monotonic()
            proxy = subprocess.Popen([TARGET / 'sidecache', 'run', '--config', config.name], stdout=subprocess.DEVNULL)
            try:
                wait(PORT); ready = (time.monotonic() - began) * 1000
                time.sleep(0.5); idle = resident(proxy)
                fetched = 0
                for size, count in run:
                    origin = subprocess.Popen([TARGET / 'examples' / 'bare_hyper', f'127.0.0.1:{ORIGIN}', str(size)])
                    try: wait(ORIGIN); fill(count, fetched)
                    finally: origin.terminate(); origin.wait()
                    fetched += count
                time.sleep(1.5); full = resident(proxy)
                sizes = ' and '.join(str(size) for size, _ in run)
                print(f'{sizes:>6} B bodies: ready in {ready:.0f} ms, idle {idle:.1f} MiB; {fetched} fetched, {metric("sidecache_memory_entries"):.0f} kept, '
                      f'weighed {metric("sidecache_memory_bytes") / (1 << 20):.1f} of {a.limit_mib} MiB, resident {full:.1f} MiB, ratio {(full - idle) / a.limit_mib:.2f}')
            finally:
                proxy.terminate(); proxy.wait()


if __name__ == '__main__': main()
