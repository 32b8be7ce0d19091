"""Serving environments over Unity's wire: what is served to whom, and as a program that a trainer starts."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amble.errors import UsageError

_OURS = {"walker": ("amble/Walker-v0", "Walker", 10), "3dball": ("amble/3DBall-v0", "3DBall", 12)}
"""What we call Unity's scenes: the id, the behaviour's name, how many agents Unity's scene has."""
_OTHER_AGENTS = 8


@dataclass(frozen=True)
class Order:
    """What to serve, as the command says it."""

    environment: str
    """`walker`, `3dball`, or a Gymnasium id."""
    agents: int | None = None
    behavior: str | None = None
    settings: tuple[str, ...] = ()
    """`key=value` each."""
    time_scale: float | None = None
    threads: int | None = None
    others: tuple[str, ...] = ()
    """Environments of the same scene, each with a behaviour of its own."""

    def words(self) -> list[str]:
        """The command's words that say the same."""
        words = ["serve", self.environment, *self.others]
        for name in ("agents", "behavior", "time_scale", "threads"):
            if (value := getattr(self, name)) is not None:
                words += [{"agents": "--num-agents"}.get(name, "--" + name.replace("_", "-")), str(value)]
        for setting in self.settings:
            words += ["--set", setting]
        return words


def serve_environment(
    order: Order,
    host: str,
    port: int | None,
    wait: float,
    timeout: float,
    log_file: Path | None,
    say: Callable[[str], None],
) -> None:
    """Serve until the trainer ends the session.

    Args:
        order: what to serve.
        host: of the trainer.
        port: of the trainer; None is the editor's, 5004.
        wait: seconds for a trainer to listen.
        timeout: seconds for each of its answers.
        log_file: is written instead of `say`, if it is given.
        say: is given lines for the user.
    """
    from amble.envs.scene import EnvironmentScene
    from amble.envs.scenes import SharedScene
    from amble.unity import client
    from amble.unity.protocol import EDITOR_PORT

    if order.others and (order.behavior or order.settings):
        raise UsageError(
            "--behavior and --set are of one environment, and several are to be served: leave them out, or serve one."
        )
    where = EDITOR_PORT if port is None else port
    with ExitStack() as stack:
        if log_file is not None:
            say = _writer(log_file, stack)
        scenes: list[EnvironmentScene] = []
        for environment in (order.environment, *order.others):
            env_id, behavior, agents = _of(environment, order)
            scenes.append(
                EnvironmentScene(
                    env_id,
                    behavior if "?" in behavior else f"{behavior}?team=0",
                    agents,
                    env_kwargs=dict(_setting(text) for text in order.settings),
                    time_scale=order.time_scale,
                    threads=order.threads,
                    say=say,
                )
            )
            stack.callback(scenes[-1].close)
            say(f"{env_id}: {agents} agents of behaviour {behavior}, for the trainer on {host}:{where}.")
        scene = scenes[0] if len(scenes) == 1 else SharedScene(scenes)
        client.run(
            scene,
            host,
            where,
            connect_seconds=wait,
            answer_seconds=timeout,
            connected=lambda version: say(
                f"Connected to a trainer (ML-Agents {version or 'of unknown version'})."
            ),
        )
        say("The trainer has ended the session.")


def _of(environment: str, order: Order) -> tuple[str, str, int]:
    """Its id, its behaviour's name, and how many agents it has."""
    env_id, name, agents = _OURS.get(
        environment.lower(), (environment, environment.rpartition(":")[2], _OTHER_AGENTS)
    )
    return env_id, order.behavior or re.sub(r"[/\\:?]", "-", name), order.agents or agents


def write_program(order: Order, path: Path) -> Path:
    """Write a program to `path` that serves this to the trainer who starts it, as a build of a Unity scene would."""
    command = [sys.executable, "-m", "amble.cli", *order.words()]
    package = Path(__file__).parents[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "#!/bin/sh\n"
        f"PYTHONPATH={shlex.quote(str(package))}${{PYTHONPATH:+:$PYTHONPATH}} \\\n"
        f'exec {" ".join(map(shlex.quote, command))} "$@"\n',
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path


def _setting(text: str) -> tuple[str, Any]:
    """`key=value`, the value a number, true, false, or a text."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"--set {text}: this is no key=value; for example `--set body=release_21`.")
    if value in ("true", "false"):
        return key, value == "true"
    for kind in (int, float):
        try:
            return key, kind(value)
        except ValueError:
            continue
    return key, value


def _writer(path: Path, stack: ExitStack) -> Callable[[str], None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = stack.enter_context(path.open("a", encoding="utf-8"))

    def write(line: str) -> None:
        file.write(line + os.linesep)
        file.flush()

    return write
