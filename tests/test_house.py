"""The rules of the house, read off the source: what is never written, and who imports whom."""

import ast
import re
from pathlib import Path

import pytest

import amble

ROOT = Path(amble.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if not path.stem.endswith("_pb2"))  # which protoc writes

# A room imports only from rooms above it in this table; `top` is amble/__init__.py.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "native": set(),
    "config": {"errors"},
    "maths": set(),
    "nets": {"errors", "maths"},
    "rewards": {"errors", "config"},
    "unity": {"errors"},
    "envs": {"errors", "native", "config", "unity", "rewards"},
    "algorithms": {"errors", "config", "maths", "nets"},
    "signals": {"errors", "config", "maths", "nets", "unity", "algorithms"},
    "learner": {"errors", "native", "config", "maths", "nets", "algorithms"},
    "training": {
        "errors",
        "native",
        "config",
        "maths",
        "nets",
        "envs",
        "algorithms",
        "signals",
        "learner",
        "rewards",
        "top",
    },
    "export": {"errors", "config", "nets", "training", "top"},
    "insight": {
        "errors",
        "config",
        "maths",
        "nets",
        "unity",
        "rewards",
        "envs",
        "algorithms",
        "training",
        "export",
    },
    "cli": {"errors", "config", "unity", "rewards", "envs", "training", "insight", "export", "top"},
    "spinup": {"errors", "maths", "envs", "training", "top"},
    "top": {"errors", "config", "envs", "training", "spinup"},
}
# Packages that a room never imports, for what it is or for how long they take to load.
NEVER: dict[str, set[str]] = {
    "errors": {"torch", "numpy", "gymnasium", "mujoco"},
    "native": {"torch", "gymnasium", "mujoco", "time"},
    "config": {"torch", "numpy", "gymnasium", "mujoco"},
    "maths": {"gymnasium", "mujoco", "numpy", "pathlib"},
    "nets": {"mujoco", "pathlib"},
    "rewards": {"torch", "gymnasium", "mujoco", "time"},
    "unity": {"torch", "gymnasium", "mujoco"},
    "envs": {"torch"},
    "algorithms": {"gymnasium", "mujoco", "pathlib", "time"},
    "signals": {"gymnasium", "mujoco", "time"},
    "learner": {"gymnasium", "mujoco", "time"},
    "training": {"typer", "argparse", "mujoco"},
    "insight": {"typer", "argparse"},
    "export": {"typer", "argparse", "mujoco"},
    "spinup": {"typer", "argparse", "mujoco"},
}
EVERYWHERE = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}


def room(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return "top" if first == "__init__.py" else first.removesuffix(".py")


def imports(tree: ast.AST) -> set[str]:
    """Every module that a file imports, at its top or within a function, as full dotted names."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def calls(tree: ast.AST) -> set[str]:
    """What a file calls, as it is written: `eval`, `torch.load`."""
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def breaches(source: str, of: str) -> list[str]:
    """What a file of room `of` does against the rules."""
    tree = ast.parse(source)
    found: list[str] = []
    for name in sorted(imports(tree)):
        parts = name.split(".")
        if parts[0] in EVERYWHERE | NEVER.get(of, set()):
            found.append(f"imports {name}")
        if parts[0] != "amble":
            continue
        target = parts[1] if len(parts) > 1 and parts[1] in ROOMS else "top"
        # `import amble.x` is also read as `from amble import x`; only what names a room or a name of `top` counts
        if name == "amble" and any(other.startswith("amble.") for other in imports(tree)):
            continue
        if target != of and target not in ROOMS[of]:
            found.append(f"imports {name}")
    for call in sorted(calls(tree)):
        if call in {"eval", "exec", "compile", "__import__"} or re.fullmatch(
            r"torch\.(save|load|jit\.load)|(\w+\.)?yaml\.(load|unsafe_load|full_load)", call
        ):
            found.append(f"calls {call}")
        if call == "print" and of != "cli":
            found.append("calls print")
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            found.append(f"bare except in line {node.lineno}")
    return found


# The one place that prints outside the command: the display of a run, on a stream it was given.
ALLOWED = {"training/progress.py": ["calls print"]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_keeps_the_rules(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    assert breaches(path.read_text(), room(path)) == ALLOWED.get(name, [])


def test_every_room_is_in_the_table() -> None:
    assert {room(path) for path in FILES} <= set(ROOMS)
    assert len(FILES) > 50


@pytest.mark.parametrize(
    ("source", "of", "breach"),
    [
        ("import pickle", "training", "imports pickle"),
        ("from pickle import loads", "training", "imports pickle"),
        ("def f():\n    import cloudpickle", "envs", "imports cloudpickle"),
        ("import torch\ntorch.save(1, 'x')", "training", "calls torch.save"),
        ("import torch\ntorch.load('x')", "insight", "calls torch.load"),
        ("eval('1')", "config", "calls eval"),
        ("exec('1')", "cli", "calls exec"),
        ("import yaml\nyaml.load('x')", "config", "calls yaml.load"),
        ("print('x')", "training", "calls print"),
        ("try:\n    f()\nexcept:\n    pass", "cli", "bare except in line 3"),
        ("from amble.config import load_run", "maths", "imports amble.config"),
        ("from amble.training import trainer", "algorithms", "imports amble.training"),
        ("import amble.envs", "algorithms", "imports amble.envs"),
        ("from amble.nets.mlp import mlp", "envs", "imports amble.nets.mlp"),
        ("import torch.nn", "envs", "imports torch.nn"),
        ("from amble.cli import main", "training", "imports amble.cli"),
        ("from amble.errors import AmbleError", "maths", "imports amble.errors"),
        ("from amble import envs", "nets", "imports amble.envs"),
    ],
)
def test_a_breach_is_seen(source: str, of: str, breach: str) -> None:
    assert breach in breaches(source, of)


@pytest.mark.parametrize(
    ("source", "of"),
    [
        ("from amble.errors import AmbleError\nimport torch", "nets"),
        ("import amble\nprint(amble.__version__)", "cli"),
        ("model.eval()\nre.compile('x')", "training"),
    ],
)
def test_what_is_allowed_is_no_breach(source: str, of: str) -> None:
    assert breaches(source, of) == []
