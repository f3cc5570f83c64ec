#!/usr/bin/env python3
"""What deploy/ holds is what Kubernetes and systemd take, and what this program starts with. `make deploy-check` runs it.

Needs kubernetes-validate, which brings the schemas of Kubernetes with it, and a program in target/debug.
"""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"
UNIT = ROOT / "deploy/systemd/sidecache.service"
PROGRAM = ROOT / "target/debug/sidecache"
# The oldest that has what is used, and the newest that the schemas know.
VERSIONS = ("1.30", "1.37")
# Of `systemd-analyze security`: 0 is best, 10 worst.
MOST_EXPOSED = 1.5
SECRET = {
    "REDIS_URL": "redis://redis:6379",
    "CACHE_PREFIX": "articles",
    "ADMIN_TOKEN": "0123456789abcdef",
    "CACHE_SECRET": "fedcba9876543210",
}


def main() -> int:
    checks = [base_is_valid, a_mistake_is_seen, overlay_is_valid, sidecar_is_one, configuration_is_good, unit_is_good, unit_is_hardened]
    failed = 0
    for check in checks:
        name = check.__name__.replace("_", " ")
        try:
            note = check()
            print(f"{'NOT CHECKED' if note else 'good'}: {name}" + (f" ({note})" if note else ""))
        except (AssertionError, subprocess.CalledProcessError) as error:
            failed += 1
            print(f"FAILED: {name}: {error}\n{getattr(error, 'output', '') or ''}", file=sys.stderr)
    return 1 if failed else 0


def documents(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document]


def base() -> list[dict[str, Any]]:
    files = yaml.safe_load((KUBERNETES / "base/kustomization.yaml").read_text())["resources"]
    return [document for file in files for document in documents((KUBERNETES / "base" / file).read_text())]


def valid(document: dict[str, Any], version: str) -> bool:
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        raise AssertionError(f"{document['kind']} {document['metadata']['name']}, {version}: {error.message}") from error
    return True


def base_is_valid() -> None:
    kinds = [document["kind"] for document in base() if all(valid(document, version) for version in VERSIONS)]
    assert kinds == ["Deployment", "Service", "PodDisruptionBudget"], kinds


def a_mistake_is_seen() -> None:
    """A check that cannot fail says nothing."""
    wrong = copy.deepcopy(base()[0])
    wrong["spec"]["template"]["spec"]["initContainers"][0]["readinesProbe"] = {}
    try:
        valid(wrong, VERSIONS[0])
    except AssertionError:
        return
    raise AssertionError("a misspelt key is taken")


def overlay_is_valid() -> str | None:
    """The example, as it is applied: with the ConfigMap and the Secret that are generated."""
    tool = ["kubectl", "kustomize"] if shutil.which("kubectl") else ["kustomize", "build"] if shutil.which("kustomize") else []
    if not tool:
        return "there is neither kubectl nor kustomize"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(KUBERNETES, folder, dirs_exist_ok=True)
        names = re.findall(r"^([A-Z_]+)=", (KUBERNETES / "example/secret.env.example").read_text(), re.MULTILINE)
        assert names == list(SECRET), names
        Path(folder, "example/secret.env").write_text("".join(f"{name}={value}\n" for name, value in SECRET.items()))
        rendered = documents(run(*tool, f"{folder}/example"))
    kinds = [document["kind"] for document in rendered if all(valid(document, version) for version in VERSIONS)]
    assert sorted(kinds) == ["ConfigMap", "Deployment", "PodDisruptionBudget", "Secret", "Service"], kinds
    names = {document["kind"]: document["metadata"]["name"] for document in rendered}
    pod = next(document for document in rendered if document["kind"] == "Deployment")["spec"]["template"]["spec"]
    proxy = pod["initContainers"][0]
    assert proxy["envFrom"][0]["secretRef"]["name"] == names["Secret"], "the secret is another one"
    assert pod["volumes"][0]["configMap"]["name"] == names["ConfigMap"], "the configuration is another one"
    return None


def sidecar_is_one() -> None:
    deployment, service, _ = base()
    pod = deployment["spec"]["template"]["spec"]
    (proxy,) = pod["initContainers"]
    assert proxy["restartPolicy"] == "Always", "without it the API waits for its end"
    ports = {port["name"]: port["containerPort"] for port in proxy["ports"]}
    config = proxy_toml()
    assert f'listen = "0.0.0.0:{ports["http"]}"' in config and f'listen = "0.0.0.0:{ports["admin"]}"' in config, ports
    (api,) = pod["containers"]
    assert f'url = "http://127.0.0.1:{api["ports"][0]["containerPort"]}"' in config, "the backend is elsewhere"
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"], "clients come to the proxy alone"
    probes = {probe: proxy[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert probes == {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}, probes
    drain = int(re.search(r'drain_timeout = "(\d+)s"', config)[1])
    sleep = proxy["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleep + drain < pod["terminationGracePeriodSeconds"], "the drain would be cut off"
    context = proxy["securityContext"]
    assert context["readOnlyRootFilesystem"] and context["capabilities"]["drop"] == ["ALL"], context
    assert pod["securityContext"]["runAsNonRoot"] and context["runAsUser"] == 65532, context
    limit, cache = mebibytes(proxy["resources"]["limits"]["memory"]), mebibytes(re.search(r'max = "(\d+MiB)"', config)[1])
    assert cache * 2 <= limit, "the rest of the process needs room too"


def mebibytes(text: str) -> int:
    return int(re.fullmatch(r"(\d+)MiB?", text)[1])


def proxy_toml() -> str:
    return (KUBERNETES / "base/proxy.toml").read_text()


def configuration_is_good() -> None:
    environment = {**os.environ, **SECRET}
    said = run(str(PROGRAM), "check", "--strict", str(KUBERNETES / "base/proxy.toml"), env=environment)
    assert "good" in said, said


def unit_is_good() -> str | None:
    if not shutil.which("systemd-analyze"):
        return "there is no systemd-analyze"
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder) / UNIT.name
        unit.write_text(UNIT.read_text().replace("/usr/local/bin/sidecache", str(PROGRAM)))
        said = run("systemd-analyze", "verify", "--man=no", str(unit))
    # Of other units of this machine it may say more.
    about = [line for line in said.splitlines() if UNIT.name in line]
    assert not about, about
    return None


def unit_is_hardened() -> str | None:
    if not shutil.which("systemd-analyze"):
        return "there is no systemd-analyze"
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT))
    exposure = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)[1])
    assert exposure <= MOST_EXPOSED, f"its exposure is {exposure}\n{said}"
    return None


def run(*command: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)} ends with {done.returncode}\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
