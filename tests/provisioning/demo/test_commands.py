"""The hand-written list of commands: what a tap needs passes, everything beside it does not."""

import pytest

from provisioning.demo.commands import off_list

ALLOWED = [
    "00A404000BA00000030800001000010000",
    "00CB3FFF055C035FC10100",
    "00C0000000",
    "00C0000042",
    "0087119E267C2482008120" + "5A" * 32 + "00",
    "1087079EFF7C820106820081820100" + "5A" * 245,
    "0087079E0B" + "5A" * 11 + "00",
]
FORBIDDEN = [
    "00A404000AD392F000260100000001",
    "00A404000BA00000030800001000010100",
    "00CB3FFF055C035FC10200",
    "0020008008" + "31" * 8,
    "00200080",
    "0087119A267C2482008120" + "5A" * 32 + "00",
    "0087119E267C2482008120" + "5A" * 33 + "00",
    "FFCA000000",
    "00B08A0000",
    "",
]


@pytest.mark.parametrize("command", ALLOWED)
def test_a_command_of_the_conversation_is_on_the_list(command: str) -> None:
    assert off_list([bytes.fromhex(command)]) == []


@pytest.mark.parametrize("command", FORBIDDEN)
def test_any_other_command_is_not(command: str) -> None:
    assert off_list([bytes.fromhex(command)]) == [command]


def test_each_strange_command_is_named_once() -> None:
    strange = bytes.fromhex("FFCA000000")
    assert off_list([strange, bytes.fromhex(ALLOWED[0]), strange]) == ["FFCA000000"]
