"""`amble plot`: finds the runs, hands them over, prints where the picture is."""

from pathlib import Path
from typing import Any

import pytest

from amble.cli import main


def test_one_or_more_runs(stand_in: Any, a_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls = stand_in("amble.insight.plot", "plot", Path("curves.png"))
    assert main(["plot", "mine", str(a_run), "--output", "curves.png"]) == 0
    assert main(["plot", "mine"]) == 0
    assert calls == [
        (([Path("results/mine"), a_run], Path("curves.png")), {}),
        (([Path("results/mine")], None), {}),
    ]
    assert capsys.readouterr().out == "curves.png\n" * 2


@pytest.mark.usefixtures("a_run")
def test_a_missing_run_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", "mine", "mien"]) == 2
    assert "There is no run `mien`" in capsys.readouterr().err


def test_a_presets_name_is_no_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", "walker"]) == 2
    assert "There is no run `walker`" in capsys.readouterr().err
