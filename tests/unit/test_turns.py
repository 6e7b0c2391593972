"""Rotations against numpy and scipy."""

import numpy as np
from scipy.spatial.transform import Rotation

from noisylabels.draws import Draws
from noisylabels.parts import turns


def test_sine_and_cosine():
    degrees = np.linspace(-360, 360, 5041)
    cosine, sine = turns.cos_sin(degrees)
    assert np.abs(cosine - np.cos(np.radians(degrees))).max() < 1e-14
    assert np.abs(sine - np.sin(np.radians(degrees))).max() < 1e-14
    assert (np.abs(cosine * cosine + sine * sine - 1) < 1e-15).all()


def test_rotations_are_those_of_scipy():
    axes = turns.directions(Draws(0).uniform((50, 2)))
    degrees = Draws(1).uniform(50, -180.0, 180.0)
    expected = Rotation.from_rotvec(axes * np.radians(degrees)[:, None]).as_matrix()
    assert np.abs(turns.about_axes(axes, degrees) - expected).max() < 1e-14
    z = np.tile([1.0, 0.0, 0.0], (50, 1))
    assert np.abs(turns.about_axes(z, degrees) - turns.about_z(degrees)).max() < 1e-15
    assert np.abs(np.linalg.norm(axes, axis=1) - 1).max() < 1e-15
    many = turns.directions(Draws(2).uniform((4000, 2)))
    assert np.abs(many.mean(axis=0)).max() < 0.04
    assert np.abs((many**2).mean(axis=0) - 1 / 3).max() < 0.02
