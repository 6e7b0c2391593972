"""Label noise for medical image segmentation: made, measured, and trained against."""
