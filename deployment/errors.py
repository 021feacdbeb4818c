"""Why nothing is deployed."""


class DeployError(Exception):
    """One line: what was found, the rule, the remedy."""
