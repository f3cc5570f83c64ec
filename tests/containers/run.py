#!/usr/bin/env python3
"""Builds the images as the Dockerfile says, brings docker-compose.yml up, and tests both from outside.

Where there is no engine it says so and fails nothing; with --required it fails. Where no registry is within reach, stand-ins take
the place of the images that the files name (stand_ins.py); those stay, and nothing else does.
"""

from __future__ import annotations

import argparse
import re
import secrets
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import image
import rolling
import scenarios
import stand_ins
import written
from engine import ROOT, Failed, docker, run, say, why_no_engine
from stack import Stack

BALANCED = "deploy/compose/balanced.yml"
# Each is tagged, so that all that was made on the way can be taken away.
TARGETS = ["dependencies", "build", "demo-dependencies", "build-demo", "demo", "sidecache"]


def main() -> int:
    arguments = parsed()
    if why := why_no_engine():
        print(f"NOT CHECKED: containers cannot be run here ({why}); run make containers where they can", file=sys.stderr)
        return 1 if arguments.required else 0
    try:
        missing = stand_ins.provide(stand_ins.named(ROOT / "Dockerfile", ROOT / "docker-compose.yml", ROOT / BALANCED))
        with tempfile.TemporaryDirectory(prefix="sidecache-containers-") as folder:
            test(arguments, missing, Path(folder))
    except Failed as failed:
        print(f"\nFAILED: {failed}", file=sys.stderr)
        return 1
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="dist", help="of cargo, for the images; dev builds fastest (default: dist)")
    parser.add_argument("--only", default="", metavar="PATTERN", help="only the checks whose name matches this pattern")
    parser.add_argument("--keep-images", action="store_true", help="leave the images, so that the next build is quick")
    parser.add_argument("--required", action="store_true", help="fail where there is no engine")
    return parser.parse_args()


def test(arguments: argparse.Namespace, missing: list[str], folder: Path) -> None:
    tag = "kept" if arguments.keep_images else secrets.token_hex(4)
    images = {target: f"sidecache-test/{target}:{tag}" for target in TARGETS}
    stack = Stack(images, arguments.profile, folder, BALANCED)
    chosen = [
        (name, check)
        for name, check in (
            *image.all_of({name: images[name] for name in ("sidecache", "demo")}, arguments.profile in ("dist", "release")),
            *scenarios.all_of(stack),
            *rolling.all_of(stack),
            *written.all_of(stack),
        )
        if re.search(arguments.only, name)
    ]
    try:
        for target in TARGETS:
            build(target, images[target], arguments.profile)
        stack.compose("config", "--quiet")
        say("docker-compose.yml is good" + (f"; not started, for want of an image: {', '.join(missing)}" if missing else ""))
        stack.missing = missing
        for name, check in chosen:
            perform(name, check, stack)
        say(f"{len(chosen)} checks are good")
    finally:
        stack.down()
        if not arguments.keep_images:
            for name in reversed(images.values()):
                docker("image", "rm", name, check=False)


def build(target: str, name: str, profile: str) -> None:
    say(f"building {target}")
    options = ["--build-arg", f"PROFILE={profile}", "--target", target, "--tag", name]
    # One build at a time is enough for a machine that tests too.
    old = docker("image", "ls", "--quiet", name)
    run("docker", "build", "--force-rm", *options, ".", timeout=1800, quiet=True)
    if old and old != docker("image", "ls", "--quiet", name):
        docker("image", "rm", old, check=False)


def perform(name: str, check: Callable[[], None], stack: Stack) -> None:
    say(name)
    try:
        check()
    except Exception as error:
        print(stack.logs(), file=sys.stderr)
        # The last thing that is said is what went wrong.
        why = str(error) if isinstance(error, Failed) else "".join(traceback.format_exception(error))
        raise Failed(f"{name}\n{why}") from error


if __name__ == "__main__":
    sys.exit(main())
