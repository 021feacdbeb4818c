"""What EMR is asked for, and what that costs. Pure, but for the bill."""
