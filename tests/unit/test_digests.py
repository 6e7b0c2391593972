import hashlib

import numpy as np
import pytest

from noisylabels.store.digests import combined_digest, content_digest


def test_digest_is_sha256_of_one_line_and_the_bytes():
    array = np.array([[1, 2, 3], [4, 5, 600]], np.int16)
    text = b"array 1 int16 2x3 0.7x1.0\n" + array.astype("<i2").tobytes()
    assert content_digest(array, (0.7, 1)) == hashlib.sha256(text).hexdigest()


def test_memory_order_and_byte_order_do_not_matter():
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    digest = content_digest(array)
    assert content_digest(np.asfortranarray(array)) == digest
    assert content_digest(array.astype(">i2")) == digest
    assert content_digest(np.repeat(array, 2, axis=2)[:, :, ::2]) == digest


@pytest.mark.parametrize(
    "other",
    [
        (np.zeros((3, 2), np.uint8), None),
        (np.zeros((2, 3), np.int8), None),
        (np.zeros((2, 3), np.uint8), (1.0, 1.0)),
        (np.eye(2, 3).astype(np.uint8), None),
        (np.zeros((1, 2, 3), np.uint8), None),
    ],
)
def test_shape_dtype_spacing_and_values_matter(other):
    assert content_digest(*other) != content_digest(np.zeros((2, 3), np.uint8))


def test_spacing_is_told_apart_to_the_last_bit():
    array = np.zeros((2, 2), np.uint8)
    assert content_digest(array, (0.1 + 0.2, 1.0)) != content_digest(array, (0.3, 1.0))


def test_empty_arrays_have_digests():
    assert content_digest(np.zeros((0, 3), np.uint8)) != content_digest(np.zeros((3, 0), np.uint8))


def test_combined_digest_does_not_depend_on_the_order():
    items = [("b", "2"), ("a", "1"), ("c", "3")]
    assert combined_digest(items) == hashlib.sha256(b"a 1\nb 2\nc 3\n").hexdigest()
    assert combined_digest(iter(items[::-1])) == combined_digest(items)
    assert combined_digest([]) == hashlib.sha256(b"").hexdigest()
    assert combined_digest([("a", "2")]) != combined_digest([("a", "1")])
