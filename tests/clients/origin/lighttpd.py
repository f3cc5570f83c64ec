"""The origin: Debian's lighttpd with static files, listings, CGI, git over HTTP and a WebSocket server behind it."""
from __future__ import annotations

import os
import signal
import subprocess
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Optional

from harness.access_log import FORMAT, OWN, Served, served
from harness.program import find, python_with
from harness.server import Server
from harness.site import Site
from harness.wait import free_port, until

HERE = Path(__file__).resolve().parent

CONFIGURATION = '''
server.document-root = "{root}"
server.bind = "127.0.0.1"
server.port = {port}
server.modules = ("mod_accesslog", "mod_alias", "mod_setenv", "mod_cgi", "mod_proxy", "mod_dirlisting", "mod_status")
server.upload-dirs = ("{folder}")
server.max-keep-alive-requests = 1000
server.listen-backlog = 1024
accesslog.filename = "{folder}/access.log"
accesslog.format = "{format}"
index-file.names = ("index.html")
dir-listing.activate = "enable"
mimetype.assign = (".html" => "text/html", ".txt" => "text/plain", ".js" => "text/javascript", ".css" => "text/css",
  ".json" => "application/json", ".png" => "image/png", ".whl" => "application/octet-stream", "" => "application/octet-stream")
$HTTP["url"] == "{own}status" {{
  status.status-url = "{own}status"
}}
$HTTP["url"] =~ "^/cgi/" {{
  cgi.assign = (".py" => "{python}")
}}
$HTTP["url"] =~ "^/git/" {{
  alias.url = ("/git/" => "{git}/")
  cgi.assign = ("" => "")
  setenv.set-environment = ("GIT_PROJECT_ROOT" => "{folder}/git", "GIT_HTTP_EXPORT_ALL" => "1", "REMOTE_USER" => "tester",
    "PATH" => env.PATH, "HOME" => "{folder}")
}}
$HTTP["url"] == "/echo" {{
  proxy.header = ("upgrade" => "enable")
  proxy.server = ("" => (("host" => "127.0.0.1", "port" => {echo})))
}}
'''


def git_http_backend() -> Optional[Path]:
    git = find('git')
    if git is None:
        return None
    folder = subprocess.run([git, '--exec-path'], capture_output=True, text=True, check=True).stdout.strip()
    backend = Path(folder) / 'git-http-backend'
    return backend if backend.exists() else None


class Origin:
    """Runs inside `with`."""

    def __init__(self, folder: Path, site: Site) -> None:
        self.folder, self.site = folder, site
        self.port, self.echo_port = free_port(), free_port()
        self.base = f'http://127.0.0.1:{self.port}'
        self.seen = 0
        self.marks = 0

    def __enter__(self) -> Origin:
        configuration = self.folder / 'lighttpd.conf'
        cgi = (HERE / 'digest.py').read_bytes()
        self.site.write('cgi/digest.py', cgi)
        (self.folder / 'git').mkdir()
        configuration.write_text(CONFIGURATION.format(
            root=self.site.root, port=self.port, folder=self.folder, format=FORMAT, own=OWN, echo=self.echo_port,
            python=python_with('hashlib'), git=git_http_backend() or '/nonexistent'))
        lighttpd = [str(find('lighttpd')), '-D', '-f', str(configuration)]
        echo = [str(python_with('websockets')), str(HERE / 'echo.py'), str(self.echo_port)]
        with ExitStack() as servers:
            servers.enter_context(Server(echo, self.echo_port, self.folder / 'echo.log'))
            self.lighttpd = servers.enter_context(Server(lighttpd, self.port, self.folder / 'lighttpd.log')).process
            self.since()
            self.servers = servers.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.servers.close()

    def since(self) -> Served:
        """What it has served since this was last asked. Waits until it has nothing more to do."""
        until('no connection to the origin is left', lambda: self.connections() <= 1)
        self.marks += 1
        mark = f'{OWN}mark-{self.marks} '
        self.get(mark.strip())
        lines = until('the log is written', lambda: self.written(mark))
        new = lines[self.seen:]
        self.seen = len(lines)
        return served(new)

    def connections(self) -> int:
        """How many there are, that of this question among them."""
        busy = [line for line in self.get(f'{OWN}status?auto').splitlines() if line.startswith('BusyServers:')]
        return int(busy[0].split()[1])

    def get(self, path: str) -> str:
        try:
            with OPENER.open(urllib.request.Request(self.base + path, headers={'Connection': 'close'}), timeout=10) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            return str(error.code)

    def written(self, mark: str) -> Optional[list[str]]:
        """The lines of the log, once this one is among the new ones."""
        os.kill(self.lighttpd.pid, signal.SIGHUP)  # it writes what it still holds
        log = self.folder / 'access.log'
        lines = log.read_text().splitlines() if log.exists() else []
        return lines if any(mark in line for line in lines[self.seen:]) else None


# Without a proxy of the environment.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
