"""Scores and measured noise as tables, figures and one self-contained HTML page; computed, never typed."""
