"""The one error of set-up: what could not be done, and what the person can do about it."""


class SetupError(Exception):
    """Set-up cannot go on.

    Args:
        key: the sentence in ``texts.FAULTS``; it tells the fault and its remedy.
        values: what the sentence's places are filled with.
    """

    def __init__(self, key: str, **values: str) -> None:
        super().__init__(key)
        self.key = key
        self.values = values
