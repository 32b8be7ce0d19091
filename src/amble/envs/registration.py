"""Our environments in Gymnasium's registry, as strings: nothing of theirs is imported before `make`.

Gymnasium looks for no plugins (1.0 gave them up), so the ids are there once `amble.envs` is imported; to
`gymnasium.make` on its own the id is `amble.envs:amble/Walker-v0`.
"""

import gymnasium

UNITY = "amble/Unity-v0"
"""Any Unity scene, over ML-Agents' wire."""


def register_all() -> None:
    """Register every body of ours; again does nothing.

    They carry their own time limit, so Gymnasium is told of none and wraps them in nothing that counts.
    """
    for name, module, stem in (
        ("amble/Walker-v0", "amble.envs.bodies.walker", "Walker"),
        ("amble/3DBall-v0", "amble.envs.bodies.ball", "Ball"),
    ):
        if name not in gymnasium.registry:
            gymnasium.register(
                id=name,
                entry_point=f"{module}:{stem}Env",
                vector_entry_point=f"{module}:{stem}VectorEnv",
            )
    # The agents of a Unity scene: one environment each, however many there are
    if UNITY not in gymnasium.registry:
        gymnasium.register(id=UNITY, vector_entry_point="amble.envs.backends.unity:UnityVectorEnv")
