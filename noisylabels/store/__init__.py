"""The format on disk: a dataset folder is a valid nnU-Net v2 raw dataset, known by a digest of its arrays."""
