"""Cores and memory of an instance type, derived from its name: AWS families keep their ratio at all sizes.

https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-types.html
"""

import re
from dataclasses import dataclass

GIB_PER_CORE = {"c": 2, "m": 4, "r": 8}
LARGEST = 48

_TYPE = re.compile(r"([cmr])([5-9])([a-z]*)(-flex)?\.(\d*)(x?)large")


@dataclass(frozen=True)
class InstanceType:
    """An instance type of a supported family: x86-64; general purpose, compute or memory optimized.

    Args:
        family: Such as ``m6i``.
        cores: Virtual CPUs.
        memory: In GiB.
    """

    name: str
    family: str
    cores: int
    memory: int


def find_type(name: str) -> InstanceType | None:
    """Return the instance type ``name``; None if its family is not supported."""
    found = _TYPE.fullmatch(name)
    if found is None or is_arm(name):
        return None
    kind, generation, attributes, flex, times, x = found.groups()
    if (times and not x) or int(times or 1) > LARGEST:
        return None
    cores = 4 * int(times or 1) if x else 2
    return InstanceType(
        name, f"{kind}{generation}{attributes}{flex or ''}", cores, cores * GIB_PER_CORE[kind]
    )


def is_arm(name: str) -> bool:
    """Whether a type has a Graviton processor, which the ``g`` after its generation indicates."""
    return re.match(r"[a-z]+\d+g", name) is not None or name.startswith("a1.")
