"""The methods, networks and losses there are, found by file name or entry point."""

from noisylabels.catalogue import Catalogue

METHODS = Catalogue("method", "noisylabels_plugins.methods", "noisylabels.methods")
NETS = Catalogue("network", "noisylabels_plugins.nets", "noisylabels.nets")
LOSSES = Catalogue("loss", "noisylabels_plugins.losses", "noisylabels.losses")
