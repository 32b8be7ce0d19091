"""`amble play`: finds the run, hands it over, prints where the video is."""

from pathlib import Path
from typing import Any

import pytest

from amble.cli import main

FOUND = Path("results/mine")


@pytest.mark.usefixtures("a_run")
def test_the_video_is_named(stand_in: Any, capsys: pytest.CaptureFixture[str]) -> None:
    calls = stand_in("amble.insight.play", "play", Path("out.mp4"))
    words = ["--video", "out.mp4", "--seed", "1", "--episodes", "2", "--seconds", "3"]
    assert main(["play", "mine", *words]) == 0
    assert calls == [((FOUND,), {"video": Path("out.mp4"), "seed": 1, "episodes": 2, "seconds": 3.0})]
    assert capsys.readouterr().out == "out.mp4\n"


@pytest.mark.usefixtures("a_run")
def test_what_is_left_open_is_left_to_the_player(stand_in: Any) -> None:
    calls = stand_in("amble.insight.play", "play", Path("out.mp4"))
    assert main(["play", "mine"]) == 0
    assert calls == [((FOUND,), {"video": None, "seed": None, "episodes": None, "seconds": None})]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mine", "--web"], "`--web` is not available yet; `--video out.mp4` films the policy."),
        (["cartpole"], "No trained policy is shipped with the preset `cartpole`"),
        (["other"], "There is no run `other`"),
    ],
)
def test_refusals(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", *words]) == 2
    assert message in capsys.readouterr().err
