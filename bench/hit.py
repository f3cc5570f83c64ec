#!/usr/bin/env python3
"""A memory hit of 1 KB, side by side: sidecache, bare hyper (the limit), nginx, HAProxy and Varnish.

  bench/hit.py [--seconds 4] [--rounds 3] [--connections 64] [--size 1024] [--no-build]

Each server gets core 0 and nothing else, the load (wrk) core 1; they take turns within one run, so that a noisy machine
is noisy for all. Printed are the medians: CPU per request (from /proc), requests per second, p99, and the ratio of CPU
to bare hyper's. Only ratios of one run mean anything. Servers that are not installed are left out, and that is said.
Needs wrk; nginx, haproxy and varnishd where they are to be compared (Debian's packages).
"""
import argparse, os, re, shutil, signal, socket, statistics, subprocess, sys, tempfile, time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get('CARGO_TARGET_DIR', ROOT / 'target')) / 'dist'
TICK = os.sysconf('SC_CLK_TCK')


def pin(core, *command):
    return ['taskset', '-c', str(core), *map(str, command)]


def start(command, port, log):
    process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    for _ in range(200):
        if process.poll() is not None:
            sys.exit(f'{command} ended early:\n{Path(log.name).read_text()[-2000:]}')
        try:
            socket.create_connection(('127.0.0.1', port), 0.2).close()
            return process
        except OSError:
            time.sleep(0.05)
    sys.exit(f'{command} does not listen on {port}')


def stop(process):
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(5)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGKILL)


def cpu_seconds(process):
    """User and system time of every process of the group."""
    total = 0
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            fields = stat.read_text().rpartition(')')[2].split()
        except OSError:
            continue
        if int(fields[2]) == process.pid:
            total += int(fields[11]) + int(fields[12])
    return total / TICK


def load(port, seconds, connections):
    out = subprocess.run(pin(1, 'wrk', '-t1', f'-c{connections}', f'-d{seconds}s', '--latency', f'http://127.0.0.1:{port}/bench'),
                         capture_output=True, text=True, check=True).stdout
    requests = int(re.search(r'(\d+) requests in', out)[1])
    rate = float(re.search(r'Requests/sec:\s+([\d.]+)', out)[1])
    value, unit = re.search(r'99%\s+([\d.]+)(us|ms|s)', out).groups()
    bad = re.search(r'Non-2xx or 3xx responses: (\d+)', out)
    if bad:
        sys.exit(f'port {port}: {bad[0]}')
    return requests, rate, float(value) * {'us': 1e-3, 'ms': 1, 's': 1e3}[unit]


def nginx_conf(folder, port, origin):
    (folder / 'nginx.conf').write_text(f'''daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000;
  proxy_cache_path {folder}/nginx keys_zone=one:10m;
  proxy_temp_path {folder}/t1; client_body_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{origin}; proxy_cache one; proxy_cache_valid 200 1h; }} }} }}''')
    return ['nginx', '-c', folder / 'nginx.conf', '-p', folder, '-e', folder / 'nginx.err']


def haproxy_conf(folder, port, origin):
    (folder / 'haproxy.cfg').write_text(f'''global
  nbthread 1
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
cache one
  total-max-size 64
  max-age 3600
frontend f
  bind 127.0.0.1:{port}
  http-request cache-use one
  http-response cache-store one
  default_backend b
backend b
  server s 127.0.0.1:{origin}
''')
    return ['haproxy', '-db', '-f', folder / 'haproxy.cfg']


def varnish_command(folder, port, origin):
    return ['varnishd', '-F', '-n', folder / 'varnish', '-a', f'127.0.0.1:{port}', '-b', f'127.0.0.1:{origin}', '-s', 'malloc,64m']


def sidecache_conf(folder, port, origin):
    (folder / 'proxy.toml').write_text(f'''[server]
listen = "127.0.0.1:{port}"
workers = 1
[admin]
listen = "127.0.0.1:{port + 1000}"
[log]
access = false
[upstream]
url = "http://127.0.0.1:{origin}"
''')
    return [TARGET / 'sidecache', 'run', '--config', folder / 'proxy.toml']


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--seconds', type=int, default=4); ap.add_argument('--rounds', type=int, default=3)
    ap.add_argument('--connections', type=int, default=64); ap.add_argument('--size', type=int, default=1024)
    ap.add_argument('--no-build', action='store_true')
    a = ap.parse_args()
    if not shutil.which('wrk'):
        sys.exit('wrk is not installed: apt-get install wrk')
    if os.cpu_count() < 2:
        sys.exit('needs two cores: one for the server, one for the load')
    if not a.no_build:
        subprocess.run(['cargo', 'build', '--locked', '--profile', 'dist', '--bin', 'sidecache', '--example', 'bare_hyper'], cwd=ROOT, check=True)
    origin, bare = 9100, TARGET / 'examples' / 'bare_hyper'
    with tempfile.TemporaryDirectory() as name, open(Path(name) / 'log', 'w') as log:
        folder = Path(name); folder.chmod(0o755)
        servers = [('bare hyper', 9101, [bare, '127.0.0.1:9101', a.size]), ('sidecache', 9102, sidecache_conf(folder, 9102, origin))]
        for program, port, command in (('nginx', 9103, nginx_conf), ('haproxy', 9104, haproxy_conf), ('varnishd', 9105, varnish_command)):
            if shutil.which(program): servers.append((program, port, command(folder, port, origin)))
            else: print(f'{program} is not installed and is left out')
        upstream = start(pin(1, bare, f'127.0.0.1:{origin}', a.size), origin, log)
        running, results = {}, {name: [] for name, *_ in servers}
        try:
            for name, port, command in servers:
                running[name] = start(pin(0, *command), port, log)
                load(port, 1, 8)  # fills the cache
            for _ in range(a.rounds):
                for name, port, _ in servers:
                    before = cpu_seconds(running[name])
                    requests, rate, p99 = load(port, a.seconds, a.connections)
                    results[name].append(((cpu_seconds(running[name]) - before) / requests * 1e6, rate, p99))
        finally:
            for process in [*running.values(), upstream]: stop(process)
    median = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in results.items()}
    print(f'\n{a.size} bytes, {a.connections} connections, {a.rounds} rounds of {a.seconds} s, medians\n')
    print(f'{"":12} {"µs CPU/request":>15} {"× bare":>8} {"requests/s":>12} {"p99 ms":>8}')
    for name, (cpu, rate, p99) in median.items():
        print(f'{name:12} {cpu:15.2f} {cpu / median["bare hyper"][0]:8.2f} {rate:12.0f} {p99:8.2f}')
    ours = median['sidecache'][0]
    for name, limit in (('bare hyper', 1.15), ('haproxy', 0.9), ('nginx', 0.6), ('varnishd', 0.42)):
        if name in median:
            ratio = ours / median[name][0]
            print(f'sidecache / {name}: {ratio:.2f} (aim: at most {limit})')


if __name__ == '__main__': main()
