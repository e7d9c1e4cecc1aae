"""The frames between the terminal and its reader process."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import pcsc_frames as wire
from drivers.pcsc_child import AllowList
from drivers.pcsc_frames import Event, FrameError, Frames, Setup
from drivers.pcsc_ladder import Ladder


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=1), st.binary(max_size=50))), st.data())
def test_frames_come_out_whole_however_the_bytes_come_in(
    sent: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(wire.frame(kind, body) for kind, body in sent)
    frames, heard = Frames(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        frames.feed(stream[:size])
        stream = stream[size:]
        while (whole := frames.take()) is not None:
            heard.append(whole)
    assert heard == sent


@pytest.mark.parametrize("length", [0, wire.LONGEST + 1, 2**32 - 1])
def test_an_impossible_length_is_noticed_at_once(length: int) -> None:
    frames = Frames()
    frames.feed(length.to_bytes(4, "big"))
    with pytest.raises(FrameError):
        frames.take()


def body_of(frame: bytes) -> bytes:
    frames = Frames()
    frames.feed(frame)
    whole = frames.take()
    assert whole is not None
    return whole[1]


def test_events_setup_and_patterns_arrive_as_they_were_sent() -> None:
    event = Event("present", 5, 7, first=True, detail="読取機")
    assert wire.event_of(body_of(wire.event_frame(event))) == event
    setup = Setup("pcsc", "RC-S300", (("00A404..", 5, 17),))
    assert wire.setup_of(body_of(wire.setup_frame(setup))) == setup
    assert wire.patterns_of(wire.patterns_body(setup.allow)) == setup.allow


@given(st.binary(max_size=100) | st.sampled_from([b"{}", b"[1]", b"null", b'{"kind":1,"x":2}']))
def test_what_is_none_of_them_is_a_frame_error(body: bytes) -> None:
    for read in (wire.event_of, wire.setup_of):
        with pytest.raises(FrameError):
            read(body)


@pytest.mark.parametrize("body", [b"", b"7", b"[7]", b"[[1,2]]", b'[["00","x",1]]'])
def test_patterns_that_are_none_are_a_frame_error(body: bytes) -> None:
    with pytest.raises(FrameError):
        wire.patterns_of(body)


@pytest.mark.parametrize(
    ("apdu", "passes"),
    [
        ("00A4040001", True),
        ("00A404FF01", True),
        ("00A4040001AA", True),
        ("00A4040001AABB", False),
        ("00A40400", False),
        ("00A4050001", False),
        ("", False),
    ],
)
def test_a_pattern_fixes_bytes_and_length(apdu: str, *, passes: bool) -> None:
    allow = AllowList((("00A404..01", 4, 6),))
    assert allow.holds(bytes.fromhex(apdu)) is passes
    assert allow.refused == (0 if passes else 1)


def test_an_empty_list_lets_nothing_pass() -> None:
    assert not AllowList(()).holds(bytes.fromhex("00A40400"))


def test_the_ladder_tells_first_and_then_climbs_at_its_pace() -> None:
    ladder = Ladder([["a"], ["b"]], blocked_after_s=5, recover_after_s=10)
    assert ladder.due is None
    ladder.begin(100.0)
    assert ladder.climb(104.9) == (False, [])
    assert ladder.climb(105.0) == (True, [])
    assert ladder.climb(105.1) == (False, [])
    assert ladder.climb(115.0) == (False, ["a"])
    assert ladder.climb(125.0) == (False, ["b"])
    assert ladder.due is None
    ladder.begin(200.0)
    ladder.end()
    assert ladder.climb(900.0) == (False, [])
