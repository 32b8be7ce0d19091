"""The Walker's compiled functions, for tests to call."""

from numba import njit

from amble.envs.bodies.walker.passes import account


@njit
def accounted(substep, bodies, task, sizes):
    for i in range(task.reward.size):
        account(i, substep, bodies, task, sizes)
