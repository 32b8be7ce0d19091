"""Records into arrays and actions out of messages: worked by hand, in every form a peer may write them."""

import struct

import numpy as np
import pytest

from amble.unity import decode, encode
from amble.unity.faults import BadMessage, NotFinite, SpacesChanged
from amble.unity.protocol.communicator_pb2 import (
    AgentActionProto,
    AgentInfoProto,
    BrainParametersProto,
    UnityMessageProto,
    UnityRLInputProto,
    UnityRLOutputProto,
)
from amble.unity.spec import ActionSpec, BehaviorSpec, ObservationSpec
from amble.unity.steps import Actions, Decisions, Frame, Terminals

VECTOR = ObservationSpec((2,), "v", (1,))
SPEC = BehaviorSpec((VECTOR,), ActionSpec(1, (2, 3)))


def agent(number: int, seen: list[float], **fields: object) -> AgentInfoProto:
    one = AgentInfoProto(id=number, **fields)
    part = one.observations.add(shape=[len(seen)], name="v", dimension_properties=[1])
    part.float_data.data = np.array(seen, "<f4").tobytes()
    return one


def test_records_by_hand() -> None:
    frame = decode.Decoder("Toy", SPEC).frame(
        [
            agent(7, [1, 2], reward=0.5, group_reward=0.25, action_mask=[False, True, False, False, True]),
            agent(3, [3, 4], reward=-1, done=True),
            agent(9, [5, 6]),
            agent(7, [7, 8], reward=2, done=True, max_step_reached=True),
        ]
    )
    asking, ended = frame.decisions, frame.terminals
    assert asking.agent_id.tolist() == [7, 9]
    assert asking.observations[0].tolist() == [[1, 2], [5, 6]]
    assert asking.reward.tolist() == [0.75, 0]  # the group's reward is the agent's too
    assert asking.allowed is not None
    assert asking.allowed.tolist() == [[True, False, True, True, False], [True] * 5]
    assert ended.agent_id.tolist() == [3, 7]
    assert ended.observations[0].tolist() == [[3, 4], [7, 8]]
    assert ended.reward.tolist() == [-1, 2]
    assert ended.interrupted.tolist() == [False, True]
    asking.observations[0][:] = 0  # the caller's own


def test_the_bytes_of_a_record_are_protobufs() -> None:
    """Field 13 holds field 4 holds field 1, packed floats: what any other implementation writes."""
    numbers = struct.pack("<ff", 1.5, -2.0)
    data = b"\x0a\x08" + numbers
    part = b"\x0a\x01\x02" + b"\x22" + bytes([len(data)]) + data
    wire = b"\x3d" + struct.pack("<f", 0.5) + b"\x50\x07" + b"\x6a" + bytes([len(part)]) + part
    frame = decode.Decoder("Toy", SPEC).frame([AgentInfoProto.FromString(wire)])
    assert frame.decisions.observations[0].tolist() == [[1.5, -2.0]]
    assert (frame.decisions.agent_id.tolist(), frame.decisions.reward.tolist()) == ([7], [0.5])


def test_floats_that_were_not_packed() -> None:
    data = b"\x0d" + struct.pack("<f", 1.5) + b"\x0d" + struct.pack("<f", -2.0)
    part = b"\x0a\x01\x02" + b"\x22" + bytes([len(data)]) + data
    frame = decode.Decoder("Toy", SPEC).frame(
        [AgentInfoProto.FromString(b"\x6a" + bytes([len(part)]) + part)]
    )
    assert frame.decisions.observations[0].tolist() == [[1.5, -2.0]]


@pytest.mark.parametrize(
    ("broken", "fault", "words"),
    [
        (
            agent(4, [1, np.nan]),
            NotFinite,
            r"observation 0 \('v'\) of agent 4 is not finite \(1 of 2 agents\)",
        ),
        (agent(4, [1, np.inf]), NotFinite, "of agent 4 is not finite"),
        (agent(4, [1, 2], reward=float("nan")), NotFinite, "reward of agent 4 is not finite"),
        (agent(4, [1, 2], group_reward=float("inf")), NotFinite, "reward of agent 4 is not finite"),
        (agent(4, [1, 2, 3]), SpacesChanged, r"of agent 4 has the shape \[3\]; it was \[2\] before"),
        (AgentInfoProto(id=4), SpacesChanged, "agent 4 has 0 observations; expected 1"),
        (agent(1, [1, 2]), BadMessage, "agent 1 has two records of one kind"),
        (
            agent(4, [1, 2], action_mask=[True]),
            SpacesChanged,
            r"agent 4 masks 1 choices; its branches \[2, 3\] have 5",
        ),
    ],
)
def test_records_that_cannot_be(broken: AgentInfoProto, fault: type[Exception], words: str) -> None:
    with pytest.raises(fault, match=words):
        decode.Decoder("Toy", SPEC).frame([agent(1, [1, 2]), broken])


def test_bytes_that_do_not_fill_the_shape() -> None:
    broken = agent(4, [1, 2])
    broken.observations[0].float_data.data = b"\0" * 7
    with pytest.raises(BadMessage, match=r"holds 7 bytes; its shape \[2\] needs 8"):
        decode.Decoder("Toy", SPEC).frame([broken])


def test_pictures_come_in_both_orders() -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    for shape, properties, sent in (
        ((4, 5, 3), (2, 2, 1), image),
        ((3, 4, 5), (1, 2, 2), np.moveaxis(image, 2, 0)),
    ):
        spec = BehaviorSpec((ObservationSpec(shape, "camera", properties), VECTOR), ActionSpec(1))
        seen = (sent[None], np.ones((1, 2), np.float32))
        none = tuple(np.zeros((0, *part.shape[1:]), part.dtype) for part in seen)
        values = UnityRLOutputProto.ListAgentInfoProto()
        ids, nobody = np.array([5]), np.zeros(0, np.int64)
        encode.Encoder(spec).write(
            Frame(
                Decisions(ids, seen, np.zeros(1, np.float32)),
                Terminals(nobody, none, np.zeros(0, np.float32), np.zeros(0, np.bool_)),
            ),
            values.value,
        )
        assert len(values.value[0].observations[0].compressed_data) > 60
        back = decode.Decoder("Toy", spec).frame(values.value).decisions.observations
        np.testing.assert_allclose(back[0][0], sent / 255, rtol=1e-6)
        assert back[0].dtype == np.float32
        np.testing.assert_array_equal(back[1], seen[1])
        assert decode.observation_specs(values.value[0], "Toy") == spec.observations


def test_an_encoder_used_again_leaves_nothing_of_the_last_message() -> None:
    encoder, values = encode.Encoder(SPEC), UnityRLOutputProto.ListAgentInfoProto()
    rng = np.random.default_rng(1)

    def random_frame(asking: int, ended: int, masked: bool) -> Frame:
        def some(n: int) -> tuple[np.ndarray, tuple[np.ndarray, ...], np.ndarray]:
            return (
                rng.permutation(50)[:n].astype(np.int64),
                (rng.normal(size=(n, 2)).astype(np.float32),),
                rng.normal(size=n).astype(np.float32),
            )

        allowed = rng.random((asking, 5)) < 0.5 if masked else None
        return Frame(Decisions(*some(asking), allowed), Terminals(*some(ended), rng.random(ended) < 0.5))

    for asking, ended, masked in (
        (3, 0, True),
        (2, 4, False),
        (5, 1, True),
        (0, 3, False),
        (6, 0, False),
        (1, 1, True),
    ):
        sent = random_frame(asking, ended, masked)
        encoder.write(sent, values.value)
        copy = UnityRLOutputProto.ListAgentInfoProto.FromString(values.SerializeToString())
        got = decode.Decoder("Toy", SPEC).frame(copy.value)
        for ours, theirs in ((got.decisions, sent.decisions), (got.terminals, sent.terminals)):
            assert ours.agent_id.tolist() == theirs.agent_id.tolist()
            np.testing.assert_array_equal(ours.observations[0], theirs.observations[0])
            np.testing.assert_array_equal(ours.reward, theirs.reward)
        np.testing.assert_array_equal(got.terminals.interrupted, sent.terminals.interrupted)
        if sent.decisions.allowed is None:
            assert got.decisions.allowed is None
        elif not sent.decisions.allowed.all():
            np.testing.assert_array_equal(got.decisions.allowed, sent.decisions.allowed)


# What a behaviour's agents do.


def test_actions_as_old_packages_describe_them() -> None:
    continuous = BrainParametersProto(
        vector_action_size_deprecated=[4], vector_action_space_type_deprecated=1
    )
    assert decode.action_spec(continuous) == ActionSpec(4)
    discrete = BrainParametersProto(
        vector_action_size_deprecated=[4, 2], vector_action_space_type_deprecated=0
    )
    assert decode.action_spec(discrete) == ActionSpec(0, (4, 2))
    assert decode.action_spec(encode.brain_parameters("x", ActionSpec(2, (3,)))) == ActionSpec(2, (3,))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"num_continuous_actions": -1}, "has -1 continuous actions"),
        (
            {"num_discrete_actions": 2, "discrete_branch_sizes": [3]},
            "has 2 discrete actions, and sizes for 1",
        ),
        ({"num_discrete_actions": 1, "discrete_branch_sizes": [0]}, r"branches of \[0\] choices"),
        ({"num_discrete_actions": 1, "discrete_branch_sizes": [2**30]}, "choices; expected 0 or more"),
    ],
)
def test_actions_that_cannot_be(fields: dict, words: str) -> None:
    brain = BrainParametersProto(brain_name="Toy")
    for name, value in fields.items():
        if isinstance(value, list):
            getattr(brain.action_spec, name).extend(value)
        else:
            setattr(brain.action_spec, name, value)
    with pytest.raises(BadMessage, match=words):
        decode.action_spec(brain)


@pytest.mark.parametrize("shape", [[], [0], [-3], [2**20, 2**20]])
def test_observations_that_cannot_be(shape: list[int]) -> None:
    one = AgentInfoProto()
    one.observations.add(shape=shape, name="v")
    with pytest.raises(BadMessage, match="expected sizes of 1 or more"):
        decode.observation_specs(one, "Toy")


# Actions on their way to the environment.


def sent(actions: Actions) -> list[AgentActionProto]:
    value = UnityRLInputProto.ListAgentActionProto()
    encode.write_actions(actions, value.value)
    return list(UnityRLInputProto.ListAgentActionProto.FromString(value.SerializeToString()).value)


def test_actions_there_and_back() -> None:
    continuous = np.array([[0.5], [-0.25]], np.float32)
    discrete = np.array([[1, 2], [0, 1]], np.int32)
    got = decode.actions("Toy", SPEC.actions, 2, sent(Actions(continuous, discrete)))
    np.testing.assert_array_equal(got.continuous, continuous)
    np.testing.assert_array_equal(got.discrete, discrete)


def test_packages_before_hybrid_actions_read_the_old_field() -> None:
    (one,) = sent(Actions(np.array([[0.5, 0.25]], np.float32)))
    assert one.vector_actions_deprecated == struct.pack("<ff", 0.5, 0.25) == one.continuous_actions
    (one,) = sent(Actions(None, np.array([[2, 1]], np.int32)))
    assert one.vector_actions_deprecated == struct.pack("<ff", 2, 1)
    old = AgentActionProto(vector_actions_deprecated=struct.pack("<ff", 1, 2))
    assert decode.actions("Toy", ActionSpec(0, (2, 3)), 1, [old]).discrete.tolist() == [[1, 2]]  # type: ignore[union-attr]


def test_nothing_sent_is_zeros() -> None:
    got = decode.actions("Toy", SPEC.actions, 3, [])
    assert (got.continuous.tolist(), got.discrete.tolist()) == ([[0.0]] * 3, [[0, 0]] * 3)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("actions", "count", "fault", "words"),
    [
        (
            Actions(np.ones((2, 1), np.float32), np.ones((2, 2), np.int32)),
            3,
            BadMessage,
            "2 actions came for 3 agents",
        ),
        (
            Actions(np.ones((1, 2), np.float32), np.ones((1, 2), np.int32)),
            1,
            BadMessage,
            "hold 8 bytes; 1 numbers",
        ),
        (
            Actions(np.ones((1, 1), np.float32), np.array([[0, 3]], np.int32)),
            1,
            BadMessage,
            r"choices are \[0, 3\]",
        ),
        (
            Actions(np.ones((1, 1), np.float32), np.array([[-1, 0]], np.int32)),
            1,
            BadMessage,
            r"choices are \[-1, 0\]",
        ),
        (
            Actions(np.ones((1, 1), np.float32), np.array([[1]], np.int32)),
            1,
            BadMessage,
            r"choices are \[1\]",
        ),
        (
            Actions(np.full((1, 1), np.nan, np.float32), np.ones((1, 2), np.int32)),
            1,
            NotFinite,
            "it has diverged",
        ),
    ],
)
def test_actions_that_do_not_fit(actions: Actions, count: int, fault: type[Exception], words: str) -> None:
    with pytest.raises(fault, match=words):
        decode.actions("Toy", SPEC.actions, count, sent(actions))


def test_what_is_no_message() -> None:
    with pytest.raises(BadMessage, match="The environment sent 4 bytes that are no message"):
        decode.parse(b"\xff\xff\xff\xff", "The environment")
    assert decode.parse(b"", "x") == UnityMessageProto()
