"""From a manifest row to pixels: reading, decoding, thumbnails."""
