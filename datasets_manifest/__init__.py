"""Facts about every dataset, one TOML file each: what it is, whose it is, what it allows, how it is split."""
