"""The hot loops: each a numba kernel beside a plain numpy twin that gives the same bits."""
