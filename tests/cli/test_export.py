"""`amble export`: finds the policy, hands it over, prints where the model is."""

import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest

from amble.cli import main


@pytest.mark.usefixtures("a_run")
def test_the_model_is_named(stand_in: Any, capsys: pytest.CaptureFixture[str]) -> None:
    calls = stand_in("amble.export.policy", "export", Path("Walker.onnx"))
    assert main(["export", "mine", "--onnx", "--output", "out.onnx"]) == 0
    assert main(["export", "mine"]) == 0
    folder = Path("results/mine/policy")
    assert calls == [((folder, Path("out.onnx")), {}), ((folder, None), {})]
    assert capsys.readouterr().out == "Walker.onnx\n" * 2


def test_a_run_or_its_policy(trained: Path, own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By default the file stands beside the policy, with the behaviour's name."""
    shutil.copytree(trained, own_folder / "run")
    for given in ("run", "run/policy"):
        assert main(["export", given]) == 0
        assert capsys.readouterr().out == f"{own_folder / 'run' / 'CartPole-v1.onnx'}\n"
    assert onnx.load(own_folder / "run" / "CartPole-v1.onnx").producer_name == "amble"


def test_refusals(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "other"]) == 2
    assert "There is no run `other`" in capsys.readouterr().err
