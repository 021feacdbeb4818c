"""From facts to one HTML file. Pure."""
