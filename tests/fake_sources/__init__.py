"""Raw trees of every dataset, made from phantoms: one module for each adapter, of the same name."""
