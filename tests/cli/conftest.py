"""A folder of its own for every test, and stand-ins for the rooms the commands call."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`stand_in("amble.training.run", "train", result)` replaces the function; its calls are returned."""

    def replace(module: str, name: str, result: Any) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

        def called(*args: Any, **kwargs: Any) -> Any:
            calls.append((args, kwargs))
            if isinstance(result, BaseException):
                raise result
            return result() if callable(result) else result

        fake = ModuleType(module)
        setattr(fake, name, called)
        monkeypatch.setitem(sys.modules, module, fake)
        return calls

    return replace


@pytest.fixture
def a_run(own_folder: Path) -> Path:
    """`results/mine`, as far as the commands look into it."""
    run = own_folder / "results" / "mine"
    run.mkdir(parents=True)
    (run / "run.yaml").write_text("behaviors: {Walker: {}}\n")
    return run
