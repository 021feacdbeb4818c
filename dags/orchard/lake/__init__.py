"""The lake: where things lie, how they are read and written, and what may go from it."""
