"""`amble evaluate`: finds the run, hands it over, prints the result and nothing else."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

import amble
from amble.cli import main
from amble.config import shipped_policy

RESULT = {"return_mean": 12.5, "return_std": math.nan, "length_mean": 100.0, "episodes": 3}


@pytest.mark.usefixtures("a_run")
def test_json_is_one_object_on_stdout(stand_in: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def chatty() -> dict[str, Any]:
        print("loading …")
        return RESULT

    calls = stand_in("amble.training.evaluate", "evaluate", chatty)
    assert main(["evaluate", "mine", "--episodes", "3", "--seed", "5", "--json"]) == 0
    assert calls == [((Path("results/mine"), 3, 5), {})]
    out, err = capsys.readouterr()
    assert json.loads(out) == {**RESULT, "return_std": None}
    assert err == "loading …\n"


def test_a_table_for_people(stand_in: Any, a_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls = stand_in("amble.training.evaluate", "evaluate", RESULT)
    assert main(["evaluate", str(a_run)]) == 0
    assert calls == [((a_run, 20, None), {})]
    assert capsys.readouterr().out.splitlines()[0] == "return_mean  12.5"


@pytest.mark.usefixtures("a_run")
def test_a_checkpoint_of_a_run(stand_in: Any) -> None:
    calls = stand_in("amble.training.evaluate", "evaluate", RESULT)
    assert main(["evaluate", "mine@2e6"]) == 0
    assert calls == [((Path("results/mine@2e6"), 20, None), {})]


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (
            "cartpole",
            "No trained policy is shipped with the preset `cartpole`; train one with `amble train cartpole`",
        ),
        (
            "min",
            "There is no run `min`, neither as a path nor below results/. The nearest runs there: `mine`.",
        ),
        ("min@5", "There is no run `min`"),
        ("results", "results is not a run: it holds no run.yaml."),
    ],
)
@pytest.mark.usefixtures("a_run")
def test_refusals(run: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", run]) == 2
    assert message in capsys.readouterr().err


def test_without_any_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "mine"]) == 2
    assert "results/ holds no runs." in capsys.readouterr().err


def test_ones_own_run_goes_before_a_preset_of_the_same_name(stand_in: Any, a_run: Path) -> None:
    a_run.rename(a_run.with_name("walker"))
    calls = stand_in("amble.training.evaluate", "evaluate", RESULT)
    assert main(["evaluate", "walker"]) == 0
    assert calls[0][0][0] == Path("results/walker")


@pytest.mark.usefixtures("a_run")
def test_no_episodes_are_too_few(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "mine", "--episodes", "0"]) == 2
    assert "Invalid value for '--episodes'" in capsys.readouterr().err


def test_a_preset_means_the_policy_that_comes_with_it(
    stand_in: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    calls = stand_in("amble.training.evaluate", "evaluate", RESULT)
    assert main(["evaluate", "3dball"]) == 0
    # a run of one's own by that name goes first
    own = Path("results/3dball")
    own.mkdir(parents=True)
    (own / "run.yaml").write_text("")
    assert main(["evaluate", "3dball"]) == 0
    (shipped, *_), (found, *_) = (positional for positional, _ in calls)
    assert shipped.parts[-3:] == ("amble", "policies", "3dball")
    assert found == own


def test_the_shipped_ball_keeps_its_ball() -> None:
    folder = shipped_policy("3dball")
    assert folder is not None
    assert amble.evaluate(folder, episodes=10)["return_mean"] > 99.5
    assert amble.load("3dball").spec["env_id"] == "amble/3DBall-v0"
