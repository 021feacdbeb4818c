"""Validation: the constraints of EMR's service model, and the rules of its documentation."""
