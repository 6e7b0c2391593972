"""Losses of a head's log-probabilities, usable with any method and network that does not bring its own."""
