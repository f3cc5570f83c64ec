"""Stand-ins for the base images that the files name, where no registry has them.

The machine's own toolchain and Debian's packages, under the names that the files use. Each carries a label with what it was
made of; one without that label is the real image and is used as it is.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from engine import ROOT, Failed, docker, has_image, run, say

HERE = Path(__file__).resolve().parent / "stand-ins"
BASE = "sidecache-stand-in:bookworm"
LABEL = "sidecache.stand-in"


def named(*files: Path) -> list[str]:
    """The images that Dockerfiles and compose files name and do not build."""
    found: list[str] = []
    for file in files:
        text = file.read_text()
        stages = re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE)
        for image in re.findall(r"^(?:FROM|\s+image:) (\S+)", text, re.MULTILINE):
            # What is built has a name of the environment's.
            if image not in (*stages, *found, "scratch") and not image.startswith("$"):
                found.append(image)
    return found


def provide(images: list[str]) -> list[str]:
    """Sees to it that they are here; returns those that cannot be had."""
    registry = True
    missing = []
    for image in images:
        recipe = HERE / f"{image.split(':')[0].split('/')[-1]}.Dockerfile"
        wanted = digest(recipe) if recipe.exists() else ""
        have = docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}|', image, check=False)
        if has_image(image) and have in ("|", "<no value>|", f"{wanted}|"):
            say(f"{image}: {'a stand-in of an earlier run' if have == f'{wanted}|' else 'the real one'}")
            continue
        if registry and not has_image(image):
            registry = pulled(image)
            if registry:
                continue
        if recipe.exists():
            make(image, recipe, wanted)
        else:
            missing.append(image)
    return missing


def pulled(image: str) -> bool:
    try:
        docker("pull", "--quiet", image, timeout=900)
    except Failed as failed:
        say(f"{image}: cannot be pulled ({str(failed).splitlines()[-1].strip()})")
        return False
    say(f"{image}: pulled")
    return True


def digest(recipe: Path) -> str:
    """What the stand-in of this recipe is made of."""
    parts = [recipe.read_bytes()]
    if recipe.stem == "rust":
        parts += [run("rustc", "--version", quiet=True).encode(), (ROOT / "Cargo.lock").read_bytes()]
    if recipe.stem == "postgres":
        parts.append((HERE / "postgres.sh").read_bytes())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def make(image: str, recipe: Path, wanted: str) -> None:
    say(f"{image}: making a stand-in")
    if not has_image(BASE):
        make_base()
    old = docker("image", "ls", "--quiet", image)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(recipe, f"{folder}/Dockerfile")
        for file in HERE.glob(f"{recipe.stem}.sh"):
            shutil.copy(file, folder)
        tar = ["tar", "--create", "-C", folder, "."]
        if recipe.stem == "rust":
            crates(Path(folder))
            tar += toolchain(image)
        sent = subprocess.Popen(tar, stdout=subprocess.PIPE)
        build = ["docker", "build", "--network", "host", "--label", f"{LABEL}={wanted}", "--tag", image, "-"]
        made = subprocess.run(build, stdin=sent.stdout, capture_output=True, text=True, check=False)
        if sent.wait() or made.returncode:
            raise Failed(f"the stand-in for {image} cannot be made\n{made.stdout}{made.stderr}")
    if old and old != docker("image", "ls", "--quiet", image):
        docker("image", "rm", old, check=False)


def make_base() -> None:
    """Debian alone, under a name that no registry has."""
    say(f"{BASE}: debootstrap")
    if os.geteuid() or not shutil.which("debootstrap"):
        raise Failed("no registry, and stand-ins need root and debootstrap")
    with tempfile.TemporaryDirectory() as folder:
        run("debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", folder, timeout=600)
        # A stand-in that a crash leaves half written is made again; it need not wait for the disk.
        Path(folder, "etc/dpkg/dpkg.cfg.d/stand-in").write_text("force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n")
        tar = subprocess.Popen(["tar", "--create", "--one-file-system", "-C", folder, "."], stdout=subprocess.PIPE)
        made = subprocess.run(["docker", "import", "-", BASE], stdin=tar.stdout, capture_output=True, text=True, check=False)
        if tar.wait() or made.returncode:
            raise Failed(f"{BASE} cannot be made\n{made.stderr}")


def toolchain(image: str) -> list[str]:
    """What tar is told to add this machine's toolchain as `toolchain/`."""
    version = run("rustc", "--version", quiet=True).split()[1]
    wanted = image.split(":")[1].split("-")[0]
    if not f"{version}.".startswith(f"{wanted}."):
        raise Failed(f"this machine's rustc {version} is no stand-in for {image}")
    sysroot = run("rustc", "--print", "sysroot", quiet=True)
    moved = r"--transform=s,^\(bin\|lib\|libexec\)\(/\|$\),toolchain/\1\2,S"
    # Sources and other tools: no build of the program needs them.
    left_out = [f"--exclude={name}" for name in ("rustlib/src", "rust-analyzer", "*clippy*", "*miri*", "rustdoc")]
    return [moved, *left_out, "-C", sysroot, "bin", "lib", "libexec"]


def crates(folder: Path) -> None:
    """The crates of Cargo.lock in `folder/registry`, as cargo keeps them."""
    run("cargo", "fetch", "--locked", "--target", host(), timeout=600, quiet=True)
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "registry"
    shutil.copytree(home / "index", folder / "registry/index")
    locked = re.findall(r'^name = "(.+)"\nversion = "(.+)"', (ROOT / "Cargo.lock").read_text(), re.MULTILINE)
    for cache in (home / "cache").iterdir():
        kept = folder / "registry/cache" / cache.name
        kept.mkdir(parents=True)
        for name, version in locked:
            crate = cache / f"{name}-{version}.crate"
            if crate.exists():
                shutil.copy(crate, kept)


def host() -> str:
    return re.search(r"^host: (.+)$", run("rustc", "-vV", quiet=True), re.MULTILINE)[1]
