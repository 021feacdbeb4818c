"""The instance types that EMR has in any release and region.

From EMR's ListSupportedInstanceTypes in autumn 2026; `--instance-type` adds newer ones.
https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-supported-instance-types.html
"""

from __future__ import annotations

from collections.abc import Collection

from local_emr.errors import ValidationError

# Families, and the sizes that EMR has of each of them. x is short for xlarge.
_FAMILIES = """
c1: medium x
c3 d2 d3 i2 is4gen r3: x 2x 4x 8x
c4: large x 2x 4x 8x
c5 c5d: x 2x 4x 9x 12x 18x 24x
c5a c5ad m5 m5a m5ad m5d m5dn m5n r5 r5a r5ad r5b r5d r5dn r5n r8gb: x 2x 4x 8x 12x 16x 24x
c5n: x 2x 4x 9x 18x
c6a c7a m6a m7a r6a r7a: x 2x 4x 8x 12x 16x 24x 32x 48x
c6g c6gd c6gn c7g c7gd c7gn g4dn m6g m6gd m7g m7gd r6g r6gd r7g r7gd x2gd: x 2x 4x 8x 12x 16x
c7i-flex c8i-flex m7i-flex m8i-flex r8i-flex: x 2x 4x 8x 12x 16x
c6i c6id c6in i4i m6i m6id m6idn m6in r6i r6id r6idn r6in: x 2x 4x 8x 12x 16x 24x 32x
c7i c8g c8gd c8gn g5 g6 g6e i7i i8g m7i m8a m8g m8gd r7i r8a r8g r8gd r8gn x8g: x 2x 4x 8x 12x 16x 24x 48x
c8i m8i r8i: x 2x 4x 8x 12x 16x 24x 32x 48x 96x
d3en: x 2x 4x 6x 8x 12x
f2: 6x 12x 48x
g3: 4x 8x 16x
g3s: x
g7: 2x 4x 8x 12x 24x 48x
gr6: 4x 8x
h1: 2x 4x 8x 16x
i3 i4g im4gn r4: x 2x 4x 8x 16x
i3en: x 2x 3x 6x 12x 24x
i7ie: x 2x 3x 6x 12x 18x 24x 48x
m1: small medium large x
m2: x 2x 4x
m3: x 2x
m4: large x 2x 4x 10x 16x
m5zn z1d: x 2x 3x 6x 12x
p2: x 8x 16x
p3: 2x 8x 16x
p4d: 24x
p5: 48x
r7iz: x 2x 4x 8x 12x 16x 32x
x1: 16x 32x
x1e: x 2x 4x 8x 16x 32x
x2idn: 16x 24x 32x
x2iedn: x 2x 4x 8x 16x 24x 32x
"""


def _spell_out() -> frozenset[str]:
    lines = (line.split(": ") for line in _FAMILIES.split("\n") if line)
    return frozenset(
        f"{family}.{size}large" if size.endswith("x") else f"{family}.{size}"
        for families, sizes in lines
        for family in families.split()
        for size in sizes.split()
    )


INSTANCE_TYPES = _spell_out()


def validate_instance_type(name: str, added: Collection[str]) -> None:
    """Refuse a type that is neither in this module nor in `added`."""
    if name not in INSTANCE_TYPES and name not in added:
        raise ValidationError(f"Instance type '{name}' is not supported.")
