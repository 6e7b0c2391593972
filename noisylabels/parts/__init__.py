"""What at least two corruptions share: objects, outlines, polygons, fits, flips, and how a choice is checked."""
