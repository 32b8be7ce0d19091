"""Rewards made of named terms over named signals.

Write a term of your own with the decorator, and name the file on the command line (`amble train … --terms my.py`):

    from amble.rewards import term

    @term
    def calm_head(head_height, standing_height, *, height: float = 2.0):
        \"\"\"exp(-(h/s - height)²): 1 where the head is `height` standing heights above the ground.\"\"\"
        return np.exp(-((head_height / standing_height - height) ** 2))

Arguments are signals, by their names; what follows the star are numbers that the run file may set.
"""

from amble.rewards.terms import term

__all__ = ["term"]
