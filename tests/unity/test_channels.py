"""Side channels: bytes worked by hand, both ways, and what is refused."""

import struct
from uuid import UUID

import pytest

from amble.unity.channels import (
    ENGINE,
    PARAMETERS,
    Aggregation,
    Channels,
    EngineChannel,
    ParameterChannel,
    Payload,
    Raw,
    Reader,
    Sampler,
    Setting,
    StatisticsChannel,
    pack,
    read_engine,
    read_parameter,
    unpack,
)
from amble.unity.faults import BadMessage

MINE = UUID("00010203-0405-0607-0809-0a0b0c0d0e0f")


def test_a_message_by_hand() -> None:
    # .NET writes the first three groups of a GUID little-endian, the rest as they stand
    head = bytes([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15])
    assert pack([(MINE, b"abc")]) == head + b"\x03\0\0\0" + b"abc"
    assert unpack(head + b"\x03\0\0\0abc" + head + b"\0\0\0\0") == [(MINE, b"abc"), (MINE, b"")]


def test_time_scale_by_hand() -> None:
    engine = EngineChannel()
    engine.set(time_scale=20.0, width=3, height=4)
    sent = engine.take_outgoing()
    assert len(sent) == 5  # one message a setting
    assert sent[2] == struct.pack("<if", 2, 20.0)
    assert read_engine(sent[0]) == Setting("resolution", (3, 4))
    assert [read_engine(one).name for one in sent] == [
        "resolution",
        "quality",
        "time_scale",
        "target_frame_rate",
        "capture_frame_rate",
    ]
    assert engine.take_outgoing() == []


def test_parameters_by_hand() -> None:
    parameters = ParameterChannel()
    parameters.set("mass", 2.5)
    parameters.set_sampler("scale", Sampler.UNIFORM, (0.75, 3.0), seed=7)
    parameters.set_sampler("gravity", Sampler.MULTI_RANGE_UNIFORM, (1.0, 2.0, 4.0, 5.0), seed=8)
    fixed, uniform, ranges = parameters.take_outgoing()
    assert fixed == b"\x04\0\0\0mass" + struct.pack("<if", 0, 2.5)
    assert uniform == b"\x05\0\0\0scale" + struct.pack("<iiiff", 1, 7, 0, 0.75, 3.0)
    assert ranges == b"\x07\0\0\0gravity" + struct.pack("<iiiiffff", 1, 8, 2, 4, 1, 2, 4, 5)
    assert read_parameter(fixed) == Setting("mass", (2.5,))
    assert read_parameter(uniform) == Setting("scale", (0.75, 3.0), Sampler.UNIFORM, 7)
    assert read_parameter(ranges) == Setting("gravity", (1, 2, 4, 5), Sampler.MULTI_RANGE_UNIFORM, 8)


def test_a_payload_comes_back_value_by_value() -> None:
    reader = Reader(bytes(Payload().boolean(True).text("abc").floats([1.5, 2.5]).int32(-3).float32(0.25)))
    assert (reader.boolean(), reader.text(), reader.floats()) == (True, "abc", [1.5, 2.5])
    assert (reader.int32(), reader.float32(), reader.left) == (-3, 0.25, 0)


def test_statistics_go_from_the_environment_to_the_trainer() -> None:
    environment, trainer = StatisticsChannel(), StatisticsChannel()
    environment.report("goals", 1.0, Aggregation.SUM)
    environment.report("goals", 2.0, Aggregation.SUM)
    Channels([trainer]).incoming(Channels([environment]).outgoing())
    assert trainer.take() == {"goals": [(1.0, Aggregation.SUM), (2.0, Aggregation.SUM)]}
    assert trainer.take() == {}


def test_a_channel_of_ones_own_and_one_that_nobody_knows() -> None:
    mine, strange = Raw(MINE), []
    channels = Channels([mine], unknown=lambda *what: strange.append(what))
    channels.incoming(pack([(MINE, b"1"), (PARAMETERS, b"2"), (MINE, b"3")]))
    assert mine.take() == [b"1", b"3"]
    assert strange == [(PARAMETERS, b"2")]
    mine.send(Payload().text("x"))
    assert channels.outgoing() == pack([(MINE, b"\x01\0\0\0x")])
    assert channels.outgoing() == b""


@pytest.mark.parametrize("cut", range(1, 23))
def test_a_row_cut_anywhere_is_refused(cut: int) -> None:
    row = pack([(MINE, b"abc")])
    assert len(row) == 23
    with pytest.raises(BadMessage, match="Side channel"):
        unpack(row[:cut])


@pytest.mark.parametrize("length", [-1, 4, 2**31 - 1, -(2**31)])
def test_an_impossible_length_is_refused(length: int) -> None:
    with pytest.raises(BadMessage, match=f"says it has {length} bytes, and 3 are left"):
        unpack(MINE.bytes_le + struct.pack("<i", length) + b"abc")


@pytest.mark.parametrize(
    ("read", "payload", "words"),
    [
        (read_engine, struct.pack("<i", 9), "is of kind 9; expected 0 to 4"),
        (read_engine, struct.pack("<ii", 0, 4), "expected 4 more bytes, and 0 are left"),
        (read_parameter, b"\x09\0\0\0mass", "expected 9 more bytes, and 4 are left"),
        (read_parameter, b"\xff\xff\xff\xffmass", "expected -1 more bytes"),
        (read_parameter, b"\x01\0\0\0m" + struct.pack("<i", 3), "'m' is of kind 3; expected 0 or 1"),
        (read_parameter, b"\x01\0\0\0m" + struct.pack("<iii", 1, 0, 8), "has the sampler 8; expected 0 to 2"),
        (
            read_parameter,
            b"\x01\0\0\0m" + struct.pack("<iiii", 1, 0, 2, 10**9),
            "expected 4000000000 more bytes",
        ),
        (read_parameter, b"\x01\0\0\0m" + struct.pack("<iiiif", 1, 0, 2, 1, 1), "has 1 ends of intervals"),
    ],
)
def test_what_is_no_setting_is_refused(read, payload: bytes, words: str) -> None:
    with pytest.raises(BadMessage, match=words):
        read(payload)


def test_nothing_comes_on_the_trainers_channels() -> None:
    with pytest.raises(BadMessage, match=r"EngineChannel.*only the trainer sends on"):
        Channels([EngineChannel()]).incoming(pack([(ENGINE, b"x")]))


def test_two_channels_of_one_id_are_a_mistake() -> None:
    with pytest.raises(ValueError, match=f"two side channels have the id {MINE}"):
        Channels([Raw(MINE), Raw(MINE)])
