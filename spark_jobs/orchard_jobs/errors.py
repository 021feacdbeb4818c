"""The one kind of error that a user is meant to read."""


class OrchardError(Exception):
    """An error with a remedy: one line, printed without a traceback.

    Args:
        received: What was given, with its value.
        rule: What is allowed instead.
        remedy: What to do next.
    """

    def __init__(self, received: str, *, rule: str, remedy: str) -> None:
        self.received = received
        self.rule = rule
        self.remedy = remedy
        super().__init__(f"{received}: {rule}. {remedy}.")

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling between Spark's Python workers and the driver."""
        return _rebuild, (type(self), self.received, self.rule, self.remedy)


def _rebuild(kind: type[OrchardError], received: str, rule: str, remedy: str) -> OrchardError:
    return kind(received, rule=rule, remedy=remedy)
