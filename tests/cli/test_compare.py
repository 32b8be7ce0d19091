"""`amble compare` hands its words over and prints what comes back."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from amble.cli import main

NOTHING = {
    "env": None,
    "trainers": [],
    "vary": [],
    "settings": [],
    "seeds": None,
    "max_steps": None,
    "time": None,
    "jobs": None,
    "episodes": 100,
    "out": None,
    "initialize_from": None,
    "terms": None,
    "film": "page",
}


def result(**more: Any) -> SimpleNamespace:
    parts = {"figures": {"winner": None}, "table": "a table", "failures": [], "exit_code": 0}
    return SimpleNamespace(**{**parts, **more})


@pytest.mark.parametrize(
    ("words", "sources", "options"),
    [
        (["cartpole", "other.yaml"], ["cartpole", "other.yaml"], {}),
        (
            [
                "--env",
                "CartPole-v1",
                "--trainer",
                "ppo",
                "--trainer",
                "trpo",
                "--seeds",
                "5",
                "--max-steps",
                "1e5",
            ],
            [],
            {"env": "CartPole-v1", "trainers": ["ppo", "trpo"], "seeds": 5, "max_steps": 1e5},
        ),
        (
            ["cartpole", "--vary", "a=1,2", "--vary", "b=3", "--set", "c=4", "--jobs", "3", "--time", "60"],
            ["cartpole"],
            {"vary": ["a=1,2", "b=3"], "settings": ["c=4"], "jobs": 3, "time": 60.0},
        ),
        (["a", "--episodes", "7", "--out", "x"], ["a"], {"episodes": 7, "out": Path("x")}),
        (["a", "--time", "10m", "--initialize-from", "b"], ["a"], {"time": 600.0, "initialize_from": "b"}),
        (["a", "--video-only"], ["a"], {"film": "only"}),
        (["a", "--no-video"], ["a"], {"film": "none"}),
    ],
)
def test_every_word_is_handed_over(
    words: list[str],
    sources: list[str],
    options: dict[str, Any],
    stand_in: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = stand_in("amble.insight.compare", "compare", result())
    assert main(["compare", *words]) == 0
    assert calls == [((sources,), {**NOTHING, **options})]
    assert capsys.readouterr().out == "a table\n"


def test_json_is_one_object(stand_in: Any, capsys: pytest.CaptureFixture[str]) -> None:
    stand_in("amble.insight.compare", "compare", lambda: print("chatter") or result())
    assert main(["compare", "cartpole", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"winner": None}
    assert err == "chatter\n"


def test_failures_go_to_stderr_and_into_the_exit_code(
    stand_in: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in("amble.insight.compare", "compare", result(failures=["ppo, seed 1 failed"], exit_code=1))
    assert main(["compare", "cartpole"]) == 1
    out, err = capsys.readouterr()
    assert out == "a table\n"
    assert err == "amble: ppo, seed 1 failed\n"


def test_an_early_end_prints_no_table(stand_in: Any, capsys: pytest.CaptureFixture[str]) -> None:
    stand_in("amble.insight.compare", "compare", result(figures={}, table="", exit_code=130))
    assert main(["compare", "cartpole"]) == 130
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cartpole", "--seeds", "0"], "--seeds must be at least 1, but is 0."),
        (["cartpol"], "The nearest preset is `cartpole`."),
        (["--env", "CartPole-v1", "--trainer", "trp"], "The nearest valid name is `trpo`."),
        (["cartpole", "pendulum"], "learn in different environments"),
        (["cartpole", "cartpole"], "two variants are called `cartpole`"),
        (["cartpole", "--time", "10 weeks"], "`10 weeks` is no length of time"),
        (["cartpole", "--no-video", "--video-only"], "give one of them"),
    ],
)
def test_refusals_are_one_paragraph(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("arch")
    assert main(["compare", *words]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert err.count("\n") == 1
    assert out == ""
