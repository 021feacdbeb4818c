"""What a report computes. Pure."""
