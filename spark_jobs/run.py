"""Entry point of every EMR step: ``spark-submit run.py <job> --key=value …``. No logic here."""

import sys

from orchard_jobs.cli import main

sys.exit(main(sys.argv[1:]))
