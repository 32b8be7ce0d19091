"""The models themselves: described, strict, and honest when used without a file."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from amble.config import TRAINERS, EnvSettings, Hyperparameters, RewardSignals, RunConfig
from amble.config.actor_critics import A2CHyperparameters, PGHyperparameters
from amble.config.behavior import HYPERPARAMETERS
from amble.config.nearest import did_you_mean, nearest
from amble.config.settings_tree import dotted_names, names_at
from amble.errors import UsageError


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for definition in model.__subclasses__():
        yield from models(definition)


def test_every_setting_is_described() -> None:
    base: Any = RunConfig.__mro__[1]
    for model in models(base):
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"


def test_every_number_of_the_update_says_what_is_usual_or_goes_wrong() -> None:
    for model in models(Hyperparameters):
        for name, field in model.model_fields.items():
            assert len(field.description or "") > 60 or name == "shared_critic", name


@pytest.mark.parametrize("trainer", TRAINERS)
def test_every_trainer_has_settings_that_stand_by_themselves(trainer: str) -> None:
    config = RunConfig.model_validate({"behaviors": {"Walker": {"trainer_type": trainer}}})
    hyper = config.behavior[1].hyperparameters
    assert type(hyper) is HYPERPARAMETERS[trainer]
    assert RunConfig.model_validate(config.model_dump()) == config
    assert len(TRAINERS) == len(HYPERPARAMETERS)


def test_a_trainers_defaults_give_way_to_the_file() -> None:
    assert PGHyperparameters.model_validate({}).beta == 0.0
    assert PGHyperparameters.model_validate({"beta": 0.1}).beta == 0.1
    schedules = A2CHyperparameters.model_validate({"learning_rate_schedule": "constant"})
    assert schedules.beta_schedule == "constant"


def test_a_config_without_exactly_one_behaviour_has_no_behavior() -> None:
    with pytest.raises(UsageError, match="names no behaviour"):
        _ = RunConfig().behavior
    two = RunConfig.model_validate({"behaviors": {"A": {}, "B": {}}})
    with pytest.raises(UsageError, match="here a single one is expected"):
        _ = two.behavior


@pytest.mark.parametrize(
    ("behavior", "settings", "env_id"),
    [
        ("Walker", {}, "amble/Walker-v0"),
        ("Crawler", {}, "amble/Unity-v0"),
        ("Walker", {"env_path": "Builds/Walker"}, "amble/Unity-v0"),
        ("Walker", {"env_path": "Builds/Walker", "env_id": "amble/Unity-v0"}, "amble/Unity-v0"),
        ("Crawler", {"env_id": "CartPole-v1"}, "CartPole-v1"),
    ],
)
def test_a_behaviour_that_is_not_ours_and_a_build_are_unitys(
    behavior: str, settings: dict[str, Any], env_id: str
) -> None:
    config = RunConfig.model_validate({"behaviors": {behavior: {}}, "env_settings": settings})
    assert config.env_id == env_id
    assert RunConfig.model_validate(config.model_dump()) == config


def test_the_input_is_not_mutated() -> None:
    given: dict[str, Any] = {
        "default_settings": {"max_steps": 3},
        "behaviors": {"Walker": {"hyperparameters": {"lambda": 1}}},
    }
    RunConfig.model_validate(given)
    assert given == {
        "default_settings": {"max_steps": 3},
        "behaviors": {"Walker": {"hyperparameters": {"lambda": 1}}},
    }


def test_texts_are_never_coerced() -> None:
    with pytest.raises(ValidationError):
        EnvSettings.model_validate({"num_envs": "3"})


def test_names_are_read_off_the_models() -> None:
    assert "learning_rate" in names_at(("behaviors", "Walker", "hyperparameters"))
    assert "num_envs" in names_at(("env_settings",))
    assert names_at(("behaviors",)) == []
    assert names_at(("env_settings", "env_kwargs")) == []
    assert "reward_signals.extrinsic.gamma" in set(dotted_names())


def test_the_nearest_name() -> None:
    assert nearest("LERNING_rate", ["learning_rate", "beta"]) == "learning_rate"
    assert nearest("zzz", ["learning_rate"]) is None
    assert did_you_mean("zzz", ["a", "b"]) == "Valid names: `a`, `b`."
    assert did_you_mean("zzz", []) == "No names are valid there."


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, ["extrinsic"]),
        ({"rnd": {}}, ["rnd"]),
        ({"rnd": {}, "extrinsic": {}}, ["extrinsic", "rnd"]),
        ({"rnd": {}, "extrinsic": None}, ["rnd"]),
        ({"rnd": None}, ["extrinsic"]),
        ({"gail": {"demo_path": "x"}, "curiosity": {}, "extrinsic": {}}, ["extrinsic", "curiosity", "gail"]),
    ],
)
def test_which_reward_signals_there_are(given: dict[str, Any], names: list[str]) -> None:
    """A block that names others and not the extrinsic one does without it, as in ML-Agents."""
    signals = RewardSignals.model_validate(given)
    assert signals.names == names
    assert RewardSignals.model_validate(signals.model_dump()) == signals


def test_a_networks_width_by_its_old_name() -> None:
    both = {"encoding_size": 256, "network_settings": {"num_layers": 3}}
    for given, width in (({"encoding_size": 256}, 256), (both, 128)):
        signal = RewardSignals.model_validate({"curiosity": given}).curiosity
        assert signal is not None
        assert signal.network_settings.hidden_units == width
