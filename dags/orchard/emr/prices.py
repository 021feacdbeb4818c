"""Hourly price of an instance, by AWS list prices without tax: EC2 on-demand plus the EMR fee.

As of 2026-11-22, in dollars for an xlarge; prices of other sizes are proportional.

- eu-west-3: AWS's price list for EC2 in Paris as of 2026-04-01, as a public tracker of it has kept it
  (https://github.com/hitamu/cloud-price-tracker);
- us-east-1: as several public copies of https://aws.amazon.com/ec2/pricing/on-demand/ agree;
- EMR's fee: a quarter of these (https://aws.amazon.com/emr/pricing/: 0.048 for m5.xlarge), on Spot too.

Other prices are reported as unknown, not guessed. Not included: disks (gp3, less than a cent per hour per
node), S3 requests and traffic.
"""

from orchard.settings.instance_types import find_type

AS_OF = "2026-04"
EMR_SHARE = 0.25

XLARGE = {
    "eu-west-3": {
        **{"m5": 0.224, "m5a": 0.202, "m6a": 0.2016, "m6i": 0.224, "m7i": 0.2352},
        **{"c5": 0.202, "c6i": 0.202, "c7i": 0.2121, "r5": 0.296, "r6i": 0.296, "r7i": 0.3108},
    },
    "us-east-1": {
        **{"m5": 0.192, "m5a": 0.172, "m6a": 0.1728, "m6i": 0.192, "m7i": 0.2016},
        **{"c5": 0.17, "c6i": 0.17, "c7i": 0.1785, "r5": 0.252, "r6i": 0.252, "r7i": 0.2646},
    },
}


def hourly_price(name: str, region: str | None, spot: float | None = None) -> float | None:
    """Return the hourly price of the instance type ``name`` in dollars, with EMR's fee; None if unknown.

    Args:
        spot: Its current Spot price; None for the on-demand price, which is the maximum Spot price.
    """
    on_demand = ec2_price(name, region)
    if on_demand is None:
        return None
    return (on_demand if spot is None else min(spot, on_demand)) + on_demand * EMR_SHARE


def ec2_price(name: str, region: str | None) -> float | None:
    """Return the hourly on-demand price of the instance alone, in dollars; None if unknown."""
    known = find_type(name)
    xlarge = XLARGE.get(region or "", {}).get(known.family) if known else None
    return xlarge * known.cores / 4 if known and xlarge is not None else None
