"""Demonstration files, there and back, against hand-made bytes, and what is wrong with those that are not whole."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from amble.errors import UsageError
from amble.unity.demonstrations import BadDemonstration, Demonstration, decode, encode, read, read_all
from amble.unity.protocol.communicator_pb2 import AgentInfoProto, BrainParametersProto
from amble.unity.protocol.demonstration_pb2 import AgentInfoActionPairProto, DemonstrationMetaProto
from amble.unity.spec import ActionSpec, BehaviorSpec, ObservationSpec

N = 300
"""Long enough that lengths of two bytes are met."""


def a_demonstration(continuous: int = 2, branches: tuple[int, ...] = (3, 2)) -> Demonstration:
    rng = np.random.default_rng(0)
    done = np.arange(N) % 100 == 99
    taken = ~done[:, None]
    choices = [rng.integers(0, size, (N, 1)) for size in branches]
    discrete = np.concatenate([np.zeros((N, 0), np.int64), *choices], axis=1) * taken
    allowed = rng.random((N, sum(branches))) < 0.7
    allowed[done] = True
    return Demonstration(
        name="Walker",
        behavior="Walker?team=0",
        spec=BehaviorSpec(
            (ObservationSpec((4,), "vector", (1,)), ObservationSpec((3, 5, 6), "camera", (1, 2, 2))),
            ActionSpec(continuous, branches),
        ),
        observations=(
            rng.normal(size=(N, 4)).astype(np.float32),
            rng.random((N, 3, 5, 6)).astype(np.float32),
        ),
        reward=rng.normal(size=N).astype(np.float32),
        done=done,
        interrupted=done & (np.arange(N) > 150),
        continuous=(rng.uniform(-1, 1, (N, continuous)) * taken).astype(np.float32),
        discrete=discrete.astype(np.int32),
        allowed=allowed,
    )


def assert_same(found: Demonstration, expected: Demonstration) -> None:
    for field in fields(Demonstration):
        ours, theirs = getattr(found, field.name), getattr(expected, field.name)
        if field.name == "observations":
            for one, other in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(one, other)
        elif isinstance(ours, np.ndarray):
            np.testing.assert_array_equal(ours, theirs)
        else:
            assert ours == theirs


@pytest.mark.parametrize("branches", [(), (3, 2)], ids=str)
@pytest.mark.parametrize("continuous", [0, 2])
def test_there_and_back(continuous: int, branches: tuple[int, ...], tmp_path: Path) -> None:
    one = a_demonstration(continuous, branches)
    path = tmp_path / "expert.demo"
    path.write_bytes(encode(one))
    assert_same(read(path), one)


def delimited(message: bytes) -> bytes:
    """A message of at most 127 bytes behind its length."""
    assert len(message) < 128
    return bytes([len(message)]) + message


def by_hand(version: int = 1, steps: int = 2) -> bytes:
    """A step of action 0.5 on observation (1, 2), and the episode's end with reward 3: as Unity's recorder writes."""
    summary = DemonstrationMetaProto(api_version=version, demonstration_name="Ball", number_steps=steps)
    brain = BrainParametersProto(brain_name="Ball?team=0")
    brain.action_spec.num_continuous_actions = 1
    begin = AgentInfoActionPairProto(agent_info=AgentInfoProto(id=7))
    begin.action_info.continuous_actions = np.float32([0.5]).tobytes()
    end = AgentInfoActionPairProto(
        agent_info=AgentInfoProto(id=7, reward=3.0, done=True, max_step_reached=True)
    )
    for pair, seen in ((begin, [1.0, 2.0]), (end, [3.0, 4.0])):
        observation = pair.agent_info.observations.add(shape=[2])
        observation.float_data.data = np.float32(seen).tobytes()
    parts = [brain.SerializeToString(), begin.SerializeToString(), end.SerializeToString()]
    head = delimited(summary.SerializeToString()).ljust(33, b"\0")
    return head + b"".join(map(delimited, parts)) + summary.SerializeToString()


def test_what_unity_writes_is_read() -> None:
    """The summary once more behind the last step is no step."""
    found = decode(by_hand(), "ball.demo")
    assert found.observations[0].tolist() == [[1, 2], [3, 4]]
    assert found.reward.tolist() == [0, 3]
    assert found.done.tolist() == found.interrupted.tolist() == [False, True]
    assert found.continuous.tolist() == [[0.5], [0]]
    assert (found.name, found.behavior, len(found)) == ("Ball", "Ball?team=0", 2)


def test_where_the_parts_lie() -> None:
    """The summary's 32 bytes, then the behaviour at byte 33; 3 episodes of 100 records."""
    one = replace(a_demonstration(), name="A name/of more than 16 signs")
    data = encode(one)
    assert data[0] <= 32
    summary = DemonstrationMetaProto.FromString(data[1 : 1 + data[0]])
    assert data[1 + data[0] : 33] == b"\0" * (32 - data[0])
    assert (summary.api_version, summary.number_steps, summary.number_episodes) == (1, N, 3)
    assert summary.mean_reward == pytest.approx(float(one.reward.sum()) / 3, rel=1e-5)
    assert "A nameof more than 16 signs".startswith(summary.demonstration_name)
    assert len(summary.demonstration_name) >= 10
    brain = BrainParametersProto.FromString(data[34 : 34 + data[33]])
    assert list(brain.action_spec.discrete_branch_sizes) == [3, 2]
    assert not brain.is_training


def test_nothing_cannot_be_written() -> None:
    one = a_demonstration()
    nothing = {
        field.name: getattr(one, field.name)[:0]
        for field in fields(Demonstration)
        if isinstance(getattr(one, field.name), np.ndarray)
    }
    none = tuple(observation[:0] for observation in one.observations)
    with pytest.raises(UsageError, match="without a record"):
        encode(replace(one, observations=none, **nothing))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"x\.demo: no demonstration of ML-Agents: .* got an empty file"),
        (b"PK\x03\x04" * 20, r"no demonstration .* 1 to 32, in the first byte .* got 80 of 80"),
        (b"\x08" + b"\xff" * 60, r"the 8 bytes at byte 1 are no DemonstrationMetaProto"),
        (by_hand(version=2), r"a demonstration of version 2; versions 0, 1 are read"),
        (by_hand(steps=0), r"counts 0 steps: the recording was not closed"),
        (
            by_hand(steps=9),
            r"(counts 9 steps, but it ends after|bytes at byte .* are no|should be .* bytes long)",
        ),
        (by_hand()[:33], r"there is no behaviour in it: it is cut short"),
    ],
    ids=["empty", "another format", "no summary", "version", "no steps", "too few steps", "no behaviour"],
)
def test_what_is_wrong_is_said(data: bytes, message: str) -> None:
    with pytest.raises(BadDemonstration, match=message):
        decode(data, "x.demo")


def test_a_file_cut_anywhere_is_refused() -> None:
    whole = by_hand()
    summary = DemonstrationMetaProto.FromString(whole[1 : 1 + whole[0]]).SerializeToString()
    steps_end = len(whole) - len(summary)
    for end in range(steps_end):
        with pytest.raises(BadDemonstration, match=r"x\.demo: "):
            decode(whole[:end], "x.demo")
    decode(whole[:steps_end], "x.demo")


def test_what_the_wire_would_refuse_names_the_file() -> None:
    one = a_demonstration()
    one.observations[0][5, 1] = np.nan
    with pytest.raises(BadDemonstration, match=r"x\.demo: .*is not finite"):
        decode(encode(one), "x.demo")


def test_a_folder_of_one_behaviour(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no \.demo file in this folder"):
        read_all(tmp_path)
    for name in ("b", "a"):
        (tmp_path / f"{name}.demo").write_bytes(encode(replace(a_demonstration(), name=name)))
    assert [one.name for one in read_all(tmp_path)] == ["a", "b"]
    (tmp_path / "c.demo").write_bytes(by_hand())
    with pytest.raises(
        UsageError, match=r"c\.demo: its agent observes \[\(2,\)\] .* one policy cannot learn"
    ):
        read_all(tmp_path)
    with pytest.raises(BadDemonstration, match=r"gone\.demo: cannot be read \(No such file"):
        read_all(tmp_path / "gone.demo")
