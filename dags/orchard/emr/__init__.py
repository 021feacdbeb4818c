"""Requests to EMR, and their cost. Pure, except for the actual cost."""
