"""Render the facts as one HTML file. Pure."""
