"""Keys that a run file may hold and that do nothing in its run: said when it starts, not refused."""

from amble.config.parameters import CurriculumSettings
from amble.config.run import UNITY_ENV, RunConfig
from amble.config.surroundings import EngineSettings, EnvSettings

_OF_UNITY = (
    "env_args",
    "num_areas",
    "base_port",
    "timeout_wait",
    "max_lifetime_restarts",
    "restarts_rate_limit_n",
    "restarts_rate_limit_period_s",
)


def without_effect(config: RunConfig) -> list[str]:
    """A line for each such key that is not at its default."""
    found: dict[str, str] = {}
    for name, behavior in config.behaviors.items():
        above = f"behaviors.{name}."
        if behavior.threaded:
            found[f"{above}threaded"] = "an iteration collects, then updates"
        if behavior.framework is not None:
            found[f"{above}framework"] = "ML-Agents has removed it"
    if config.checkpoint_settings.train_model:
        found["checkpoint_settings.train_model"] = "a run trains unless inference says otherwise"
    settings = config.checkpoint_settings
    starts = (settings.initialize_from, settings.branch_from, config.behavior[1].init_path)
    if settings.reset_std is not None and not settings.resume and starts == (None, None, None):
        found["checkpoint_settings.reset_std"] = "the run starts from no other's networks"
    for name, parameter in config.environment_parameters.items():
        if (
            isinstance(parameter, CurriculumSettings)
            and parameter.curriculum[-1].completion_criteria is not None
        ):
            key = f"environment_parameters.{name}.curriculum.{len(parameter.curriculum) - 1}.completion_criteria"
            found[key] = "no lesson follows the last"
    if config.env_settings.env_id != UNITY_ENV:
        reason = "this run's environment is no Unity scene"
        plain, engine = EnvSettings(), EngineSettings()
        for key in _OF_UNITY:
            if getattr(config.env_settings, key) != getattr(plain, key):
                found[f"env_settings.{key}"] = reason
        for key in EngineSettings.model_fields:
            if getattr(config.engine_settings, key) != getattr(engine, key):
                found[f"engine_settings.{key}"] = reason
    return [f"{key} has no effect: {reason}." for key, reason in found.items()]
