"""A few of the random recipes of ``make fuzz``; ten thousand take minutes."""

from fuzz import command_line, library


def test_random_recipes_break_nothing():
    refused = library(120, seed=1)
    assert sum(refused.values()) < 40, refused


def test_random_recipes_through_the_command_line():
    assert command_line(6, seed=1) < 4
