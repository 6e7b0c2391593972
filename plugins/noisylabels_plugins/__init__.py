"""Training with torch: the methods of the literature on label noise, one readable file each."""
