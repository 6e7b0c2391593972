"""What several methods share, each part a few pure functions or one small module."""
