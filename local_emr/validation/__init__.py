"""What EMR refuses: by the constraints of its service model, and by the rules of its documentation."""
