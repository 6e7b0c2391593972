"""The command line of noisylabels: one module per command, and what they share."""
