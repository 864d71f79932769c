"""CIFAR-10's binary version, against records written by their description; its pickles and broken files."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from tvm_wvv.data import images
from tvm_wvv.errors import WvvError


def batch(path: Path, count: int, seed: int) -> tuple[np.ndarray, list[int]]:
    """A file of random records; (pixels NHWC, labels), put down pixel by pixel."""
    rng = np.random.default_rng(seed)
    pixels, labels = rng.integers(0, 256, (count, 32, 32, 3), np.uint8), rng.integers(0, 10, count).tolist()
    content = bytearray()
    for image, label in zip(pixels, labels, strict=True):
        content.append(label)
        for channel in range(3):
            for y in range(32):
                content += bytes(image[y, :, channel])
    path.write_bytes(content)
    return pixels, labels


def refusal(path: Path) -> str:
    with pytest.raises(WvvError) as caught:
        images.load(str(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_means_its_train_images_in_order_of_number(tmp_path: Path) -> None:
    parts = {number: batch(tmp_path / f"data_batch_{number}.bin", 3, number) for number in (10, 2, 1)}
    test_images, test_labels = batch(tmp_path / "test_batch.bin", 2, 99)
    found = images.load(str(tmp_path))
    np.testing.assert_array_equal(found.images, np.concatenate([parts[number][0] for number in (1, 2, 10)]))
    assert found.labels.tolist() == parts[1][1] + parts[2][1] + parts[10][1]
    assert found.labels.dtype == np.int64
    held_out = images.load(str(tmp_path / "test_batch.bin"))
    np.testing.assert_array_equal(held_out.images, test_images)
    assert held_out.labels.tolist() == test_labels
    np.testing.assert_array_equal(images.load_unlabelled(str(tmp_path), 4), found.images[:4])
    assert images.load(str(tmp_path), 5).labels.tolist() == found.labels[:5].tolist()


@pytest.mark.parametrize("content", [b"", b"x" * 3072, b"x" * 3074])
def test_broken_records_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(content)
    for spec in (path, tmp_path):
        assert refusal(spec).startswith(f"{path}: {len(content)} bytes, need whole records of 3073")


def test_pickles_are_refused_unread(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "ran",)

    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps(Trap()))
    for spec in (path, tmp_path):
        assert "CIFAR-10 as Python pickles, which may run any program" in refusal(spec)
    assert not (tmp_path / "ran").exists()
