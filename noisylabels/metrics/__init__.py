"""Pure functions of two label maps: how much they agree, and how they differ.

``overlap`` counts pixels, ``surface`` measures distances between boundaries, ``noise`` measures what a
corruption did to clean labels. Modules with a leading underscore hold what these three share.
"""
