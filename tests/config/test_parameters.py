"""`environment_parameters`: numbers, samplers and curricula, as they are read, refused and written out."""

from pathlib import Path

import pytest

from amble.config import (
    CurriculumSettings,
    GaussianNumbers,
    MultiRangeNumbers,
    RunConfig,
    SamplerSettings,
    UniformNumbers,
    load_run,
    to_yaml,
    without_effect,
)
from amble.config.settings_tree import names_at
from amble.errors import UsageError

HEAD = "behaviors:\n  Walker: {}\nenvironment_parameters:\n"  # what follows is on line 4

COURSE = """\
  wall:
    curriculum:
      - name: Low
        completion_criteria:
          measure: reward
          behavior: Walker
          signal_smoothing: yes
          min_lesson_length: 1e2
          threshold: 0.1
        value:
          sampler_type: uniform
          sampler_parameters: {min_value: 0, max_value: 4.0}
      - name: High
        value: 8
"""


def load(folder: Path, text: str, *overrides: str) -> RunConfig:
    path = folder / "run.yaml"
    path.write_text(HEAD + text)
    return load_run(path, ["env_settings.seed=1", *overrides])


def test_every_form(tmp_path: Path) -> None:
    text = COURSE + (
        "  mass: 3\n"
        "  drag: {sampler_type: gaussian, sampler_parameters: {}}\n"
        "  wind: {sampler_type: multirangeuniform, sampler_parameters: {intervals: [[7, 10], [15, 20]], seed: 4}}\n"
        "  sun: {sampler_type: constant, sampler_parameters: {value: 2}}\n"
        "  rain: {sampler_type: uniform, sampler_parameters: {}}\n"
    )
    config = load(tmp_path, text)
    given = config.environment_parameters
    assert config.constant_parameters == {"mass": 3.0, "sun": 2.0}
    drag, wind, rain = given["drag"], given["wind"], given["rain"]
    assert isinstance(drag, SamplerSettings)
    assert isinstance(wind, SamplerSettings)
    assert isinstance(rain, SamplerSettings)
    assert drag.sampler_parameters == GaussianNumbers(mean=1.0, st_dev=1.0, seed=-1)
    assert wind.sampler_parameters == MultiRangeNumbers(intervals=[[7.0, 10.0], [15.0, 20.0]], seed=4)
    assert rain.sampler_parameters == UniformNumbers(min_value=0.0, max_value=1.0, seed=-1)
    wall = given["wall"]
    assert isinstance(wall, CurriculumSettings)
    low, high = wall.curriculum
    criteria = low.completion_criteria
    assert criteria is not None
    assert (criteria.measure, criteria.threshold, criteria.min_lesson_length) == ("reward", 0.1, 100)
    assert (criteria.signal_smoothing, criteria.require_reset) == (True, False)
    assert isinstance(low.value, SamplerSettings)
    assert (high.value, high.completion_criteria) == (8.0, None)

    written = tmp_path / "written.yaml"
    written.write_text(to_yaml(config))
    assert "    curriculum:\n      - name: Low\n        value:\n" in written.read_text()
    assert load_run(written) == config


def test_a_curriculum_of_one_number_is_a_number(tmp_path: Path) -> None:
    assert load(tmp_path, "  a: {curriculum: [{name: Only, value: 5}]}\n").constant_parameters == {"a": 5.0}


def test_the_command_changes_a_part(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        COURSE,
        "environment_parameters.mass=2",
        "environment_parameters.wall={sampler_type: uniform, sampler_parameters: {max_value: 3}}",
        "environment_parameters.wall.sampler_parameters.min_value=2",
    )
    wall = config.environment_parameters["wall"]
    assert isinstance(wall, SamplerSettings)
    assert wall.sampler_parameters == UniformNumbers(min_value=2.0, max_value=3.0)
    assert str(wall) == "uniform in [2, 3]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  a: fast\n", r"line 4: `environment_parameters\.a` must be a number, but is the text 'fast'"),
        ("  a: .inf\n", r"line 4: `environment_parameters\.a` must be a finite number"),
        ("  a: [1]\n", r"parameters\.a` must be a number, but is a list"),
        (
            "  a: {sampler_type: uniform}\n",
            r"line 4: `environment_parameters\.a\.sampler_parameters` is missing\.$",
        ),
        (
            "  a: {sampler_type: unifrom, sampler_parameters: {}}\n",
            r"sampler_type` must be one of 'uniform'.* The nearest valid name is `uniform`",
        ),
        (
            "  a:\n    sampler_type: uniform\n    sampler_parameters:\n      min_valu: 3\n",
            r"line 7: unknown key `environment_parameters\.a\.sampler_parameters\.min_valu`. .* `min_value`",
        ),
        (
            "  a: {sampler_type: uniform, sampler_parameters: {min_value: 3}}\n",
            r"sampler_parameters\.min_value` \(3\) is greater than max_value \(1\)",
        ),
        (
            "  a: {sampler_type: multirangeuniform, sampler_parameters: {intervals: [[2, 1]]}}\n",
            r"intervals` holds \[2\.0, 1\.0\]; each interval is \[low, high\]",
        ),
        (
            "  a: {sampler_type: multirangeuniform, sampler_parameters: {intervals: [[1]]}}\n",
            r"intervals` holds \[1\.0\]; each",
        ),
        ("  a: {sampler_type: gaussian, sampler_parameters: {st_dev: -1}}\n", "st_dev` must be at least 0"),
        ("  a: {curriculum: []}\n", "curriculum` is not right: List should have at least 1 item"),
        (
            "  a: {curriculum: [{name: x, value: 1}, {name: y, value: 2}]}\n",
            r"parameters\.a\.curriculum\.0\.completion_criteria` is missing: lesson 'x' would never end",
        ),
        (
            COURSE.replace("behavior: Walker", "behavior: Walkr"),
            r"line 9: `\S+completion_criteria\.behavior` names 'Walkr', and this run trains Walker: .* `Walker`",
        ),
        (
            COURSE.replace("measure: reward", "measure: rewards"),
            r"line 8: `\S+measure` must be one of 'reward' or 'progress'.* nearest valid name is `reward`",
        ),
        (
            COURSE.replace("measure: reward", "measure: progress").replace(
                "threshold: 0.1", "threshold: 1.5"
            ),
            r"line 12: `\S+threshold` is 1\.5, but progress goes from 0 to 1",
        ),
        (
            COURSE.replace("threshold:", "treshold:"),
            r"line 12: unknown key `\S+curriculum\.0\.completion_criteria\.treshold`. .* `threshold`",
        ),
        (
            COURSE.replace("name: High", "title: High"),
            r"line 16: unknown key `\S+curriculum\.1\.title`",
        ),
    ],
)
def test_refusals(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(tmp_path, text)


def test_workers_of_a3c_know_nothing_of_lessons(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"trainer_type` does not fit: environment parameter wall changes"):
        load(tmp_path, COURSE, "trainer_type=a3c")


def test_criteria_of_the_last_lesson_are_said_to_be_ignored(tmp_path: Path) -> None:
    config = load(tmp_path, COURSE + "        completion_criteria: {behavior: Walker}\n")
    (line,) = without_effect(config)
    assert line == (
        "environment_parameters.wall.curriculum.1.completion_criteria has no effect: no lesson follows the last."
    )


def test_names_below_a_parameter_are_known() -> None:
    assert "sampler_parameters" in names_at(("environment_parameters", "a"))
    assert "curriculum" in names_at(("environment_parameters", "a"))
    assert "intervals" in names_at(("environment_parameters", "a", "sampler_parameters"))
    assert "value" in names_at(("environment_parameters", "a", "curriculum", "0"))
    assert "min_value" in names_at(
        ("environment_parameters", "a", "curriculum", "0", "value", "sampler_parameters")
    )
