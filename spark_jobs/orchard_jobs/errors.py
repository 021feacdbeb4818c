"""The one kind of error that a user is meant to read."""


class OrchardError(Exception):
    """An error with a remedy: one line, printed without a traceback.

    Args:
        received: What was given, with its value.
        rule: What is allowed instead.
        remedy: What to do next.
    """

    def __init__(self, received: str, *, rule: str, remedy: str) -> None:
        super().__init__(f"{received}: {rule}. {remedy}.")
