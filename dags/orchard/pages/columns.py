"""The columns of the list of runs: those of the command line and a few more."""

from orchard.figures import LISTED, Figure, cost, environment, minutes

COLUMNS: dict[str, Figure] = {
    **{name: LISTED[name] for name in ("images", "new", "rejected", "K", "variance")},
    "minutes": minutes,
    "cost": cost,
    "on": LISTED["on"],
    "environment": environment,
}
