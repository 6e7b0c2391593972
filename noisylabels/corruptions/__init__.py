"""The corruption modes: one module each, with Params, EXAMPLE and corrupt()."""
