"""Learners that share a world: whose turn it is, who waits for whom, and how it ends."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from amble.envs.together import Part, Role, perform
from amble.errors import AmbleError


class Clockwork:
    """Parts that are due at every so many ticks; an answer is what was given, and the tick."""

    def __init__(self, periods: Mapping[str, int]):
        self.periods, self.tick = periods, 0
        self.given: dict[str, Any] = {}
        self.said: list[str] = []

    def reset(self) -> dict[str, Any]:
        self.said.append("reset")
        return dict.fromkeys(self.periods, "new")

    def observation(self, name: str) -> Any:
        self.said.append(f"{name} looks")
        return "old"

    def step(self, actions: Mapping[str, Any]) -> dict[str, Any]:
        self.given |= actions
        while True:
            self.tick += 1
            due = [name for name, period in self.periods.items() if self.tick % period == 0]
            if due:
                return {name: (self.given[name], self.tick) for name in due}


def parts(*names: str) -> dict[str, Part]:
    box = spaces.Box(-1, 1, (2,), np.float32)
    return {name: Part(name, 3, box, box, {"render_modes": []}) for name in names}


def played(world: Clockwork, works: Mapping[str, Callable[[Part], object]]) -> dict[str, int]:
    """Perform; how often each went on after its work."""
    stages, more = parts(*works), dict.fromkeys(works, 0)

    def role(name: str) -> Role:
        def go_on() -> None:
            stages[name].step("more")
            more[name] += 1

        return Role(lambda: works[name](stages[name]), go_on)

    perform(world, stages, {name: role(name) for name in works})
    return more


def players_left() -> list[str]:
    """Threads of the parts `a` and `b` that still run."""
    return [thread.name for thread in threading.enumerate() if thread.name in ("amble-a", "amble-b")]


def test_each_goes_on_at_its_own_pace() -> None:
    seen: dict[str, list[Any]] = {"slow": [], "quick": []}

    def work(part: Part) -> None:
        part.reset()
        seen[part.name] += [part.step(f"{part.name} {k}") for k in range(3)]

    more = played(Clockwork({"slow": 2, "quick": 1}), {"slow": work, "quick": work})
    assert seen["quick"] == [("quick 0", 1), ("quick 1", 2), ("quick 2", 3)]
    assert seen["slow"] == [("slow 0", 2), ("slow 1", 4), ("slow 2", 6)]
    assert more["slow"] == 0
    assert more["quick"] in (2, 3)  # at ticks 4, 5 and perhaps 6, while the other did its work


def test_one_thread_at_a_time() -> None:
    running, most = [0], [0]
    lock = threading.Lock()

    def work(part: Part) -> None:
        part.reset()
        for _ in range(50):
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            sum(range(2000))
            with lock:
                running[0] -= 1
            part.step(0)

    played(Clockwork({"a": 1, "b": 1, "c": 1}), {"a": work, "b": work, "c": work})
    assert most == [1]


def test_a_reset_of_all_begins_anew_and_one_alone_looks() -> None:
    world = Clockwork({"a": 1, "b": 1})

    def twice(part: Part) -> None:
        assert part.reset()[0] == "new"
        part.step(0)
        assert part.reset()[0] == "old"
        part.step(0)

    def once(part: Part) -> None:
        part.reset()
        part.step(0)
        part.step(0)

    played(world, {"a": twice, "b": once})
    assert world.said == ["reset", "a looks"]


def test_a_role_that_fails_ends_the_others_by_its_words() -> None:
    ends: dict[str, BaseException] = {}

    def fail(part: Part) -> None:
        part.reset()
        part.step(0)
        raise ZeroDivisionError("this one broke")

    def go(part: Part) -> None:
        part.reset()
        try:
            for _ in range(1000):
                part.step(0)
        except AmbleError as failure:
            ends[part.name] = failure
            raise

    with pytest.raises(ZeroDivisionError, match="this one broke"):
        played(Clockwork({"a": 1, "b": 1}), {"a": fail, "b": go})
    assert str(ends["b"]) == "this one broke"
    assert not players_left()


def test_a_world_that_fails_ends_all() -> None:
    world = Clockwork({"a": 1, "b": 1})

    def gone(_: Any) -> Any:
        raise AmbleError("the world is gone")

    world.step = gone  # type: ignore[method-assign]

    def work(part: Part) -> None:
        part.reset()
        part.step(0)

    with pytest.raises(AmbleError, match="the world is gone"):
        played(world, {"a": work, "b": work})
    assert not players_left()


def test_a_part_has_the_batched_spaces() -> None:
    (part,) = parts("a").values()
    assert part.observation_space.shape == (3, 2)
    assert part.num_envs == 3
