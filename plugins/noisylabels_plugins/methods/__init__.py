"""One module per method: ``Params`` with the paper's defaults, and ``Method``."""
