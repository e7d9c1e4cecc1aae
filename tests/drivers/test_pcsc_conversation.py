"""How a conversation ends, whatever the reader process answers to its one command."""

import pytest

from drivers import pcsc_frames as wire
from drivers.pcsc_conversation import FAILURES, Conversation
from terminal.ports import CardMute, CardTorn, ChannelRefused, DeviceError

COMMAND = bytes.fromhex("00A40400")


class Process:
    """Fails at one kind of request, and keeps what it was asked."""

    def __init__(self, at: bytes, failure: type[DeviceError]) -> None:
        self._at, self._failure = at, failure
        self.asked: list[bytes] = []

    def ask(self, kind: bytes, _body: bytes, _deadline: float) -> bytes:
        self.asked.append(kind)
        if kind == self._at:
            raise self._failure("it failed")
        return b""

    def conversation(self) -> Conversation:
        return Conversation(self.ask, lambda: 1, 3000)


@pytest.mark.parametrize("failure", FAILURES.values())
def test_however_a_command_failed_the_power_is_cut(failure: type[DeviceError]) -> None:
    process = Process(wire.TRANSMIT, failure)
    with pytest.raises(failure, match="it failed"), process.conversation() as channel:
        channel.transmit(COMMAND)
    assert process.asked == [wire.CONNECT, wire.TRANSMIT, wire.DISCONNECT]


@pytest.mark.parametrize("failure", [CardMute, DeviceError])
def test_after_the_reader_failed_no_command_is_passed_on(failure: type[DeviceError]) -> None:
    process = Process(wire.TRANSMIT, failure)
    with process.conversation() as channel:
        with pytest.raises(failure, match="it failed"):
            channel.transmit(COMMAND)
        with pytest.raises(CardMute, match="over"):
            channel.transmit(COMMAND)
    assert process.asked.count(wire.TRANSMIT) == 1


@pytest.mark.parametrize("failure", [CardTorn, ChannelRefused])
def test_a_card_that_left_or_a_refused_command_does_not_end_it(
    failure: type[DeviceError],
) -> None:
    process = Process(wire.TRANSMIT, failure)
    with process.conversation() as channel:
        for _ in range(2):
            with pytest.raises(failure):
                channel.transmit(COMMAND)
    assert process.asked.count(wire.TRANSMIT) == 2


def test_an_end_that_fails_is_told_where_nothing_else_failed() -> None:
    process = Process(wire.DISCONNECT, CardTorn)
    with pytest.raises(CardTorn), process.conversation() as channel:
        channel.transmit(COMMAND)


def test_what_failed_first_is_what_is_told() -> None:
    def fails_twice(kind: bytes, _body: bytes, _deadline: float) -> bytes:
        if kind == wire.CONNECT:
            return b""
        raise CardMute("first") if kind == wire.TRANSMIT else DeviceError("second")

    with (
        pytest.raises(CardMute, match="first"),
        Conversation(fails_twice, lambda: 1, 3000) as channel,
    ):
        channel.transmit(COMMAND)


def test_a_connection_that_failed_is_nothing_to_end() -> None:
    process = Process(wire.CONNECT, DeviceError)
    with pytest.raises(DeviceError), process.conversation():
        pass
    assert process.asked == [wire.CONNECT]
