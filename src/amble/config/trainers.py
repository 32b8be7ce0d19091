"""The trainers there are; a new algorithm is announced here and nowhere else in this room."""

from amble.config.nearest import did_you_mean

TRAINERS: tuple[str, ...] = ("pg", "a2c", "a3c", "trpo", "ppo")
"""What `trainer_type` and `--trainer` accept."""

ML_AGENTS_TRAINERS: tuple[str, ...] = ("ppo", "sac", "poca")
"""What ML-Agents' own files may ask for; those we lack are refused by name, not as unknown."""

SEVERAL_SIGNALS: tuple[str, ...] = ("ppo",)
"""Those that learn from more than the extrinsic reward: from other `reward_signals`, and by `behavioral_cloning`."""


def known_trainer(name: str) -> str:
    """`name`, if it is a trainer we have; a ValueError that lists the available ones otherwise."""
    if name in TRAINERS:
        return name
    available = ", ".join(TRAINERS)
    if name in ML_AGENTS_TRAINERS:
        instead = {
            "sac": "ppo learns the same tasks, from more steps",
            "poca": "ppo trains each agent of a group by its own reward, and ignores the group's",
        }[name]
        raise ValueError(
            f"asks for trainer {name}, which is not supported: {instead}. Give hyperparameters of one of: {available}."
        )
    raise ValueError(
        f"names no trainer: {name!r} is unknown; available: {available}. {did_you_mean(name, TRAINERS)}"
    )


def not_supported() -> str:
    """The end of a sentence that refuses an ML-Agents feature by name."""
    return "is not supported yet; remove it."
