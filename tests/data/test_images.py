"""Image sources give the pixels and labels they hold, or one line that says where and what is wrong."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import require_data
from PIL import Image
from sklearn.datasets import load_digits

from tvm_wvv.data import digits, images
from tvm_wvv.errors import WvvError
from tvm_wvv.quant.fixed_point import to_float32
from tvm_wvv.quant.operators import Affine, Quantize
from tvm_wvv.reference.apply import apply

# The split as it was when the packaged model was trained.
FIRST_HELD_OUT, SUM_HELD_OUT = [3, 7, 13, 16, 19, 22, 26, 36], 386702


def pixels(seed: int, shape: tuple[int, ...] = (5, 4, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def png(data: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(data).save(out, "PNG")
    return out.getvalue()


def parquet(path: Path, pictures: list, labels: list, label_type: pa.DataType | None = None, rows: int = 2) -> str:
    label = pa.array(labels, label_type or pa.int16())
    pq.write_table(pa.table({"label": label, "image": pictures}), path, row_group_size=rows)
    return str(path)


def refusal(spec: str, limit: int | None = None) -> str:
    with pytest.raises(WvvError) as caught:
        images.load(spec, limit)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestParquet:
    def test_rows_keep_their_order_and_bytes(self, tmp_path: Path) -> None:
        want = [pixels(i) for i in range(5)]
        spec = parquet(tmp_path / "a.parquet", [png(p) for p in want], [3, 0, 9, 1, 1])
        got = images.load(spec)
        np.testing.assert_array_equal(got.images, want)
        assert got.images.dtype == np.uint8
        assert got.labels.dtype == np.int64
        assert got.labels.tolist() == [3, 0, 9, 1, 1]
        assert len(got) == 5

    def test_a_limit_within_across_and_past_the_row_groups(self, tmp_path: Path) -> None:
        want = [pixels(i) for i in range(5)]
        spec = parquet(tmp_path / "a.parquet", [png(p) for p in want], [0, 1, 2, 3, 4])
        for limit in (1, 2, 3, 5, 99):
            got = images.load(spec, limit)
            np.testing.assert_array_equal(got.images, want[:limit])
            assert got.labels.tolist() == list(range(min(limit, 5)))

    def test_row_groups_past_the_limit_are_not_read(self, tmp_path: Path) -> None:
        noise = [png(pixels(i, (64, 64, 3))) for i in range(4)]
        path = tmp_path / "a.parquet"
        parquet(path, noise, [0, 1, 2, 3])
        broken = path.read_bytes()
        at = broken.rindex(noise[3][100:200])  # inside the second row group's page
        path.write_bytes(broken[:at] + b"\0" * 4000 + broken[at + 4000 :])
        assert images.load(str(path), 2).labels.tolist() == [0, 1]
        refusal(str(path))

    def test_structs_and_grey_pictures(self, tmp_path: Path) -> None:
        want = [pixels(i, (6, 3)) for i in range(2)]
        structs = [{"bytes": png(p), "path": "x.png"} for p in want]
        got = images.load(parquet(tmp_path / "a.parquet", structs, [1, 2]))
        np.testing.assert_array_equal(got.images[..., 0], want)

    def test_alpha_is_dropped(self, tmp_path: Path) -> None:
        want = pixels(1, (4, 5, 4))
        got = images.load(parquet(tmp_path / "a.parquet", [png(want)], [1]))
        np.testing.assert_array_equal(got.images[0], want[..., :3])

    def test_faults_name_the_file_and_the_row(self, tmp_path: Path) -> None:
        path, good = tmp_path / "a.parquet", png(pixels(0))
        faults: list[tuple[list, list, pa.DataType | None, str]] = [
            ([good, good, b"no picture"], [0, 1, 2], None, "row 2: not a readable PNG or JPEG"),
            ([good, good[:60]], [0, 1], None, "row 1: not a readable PNG or JPEG"),
            ([good, None], [0, 1], None, "row 1: no image"),
            ([good, png(pixels(1, (5, 6, 3)))], [0, 1], None, "row 1: the image is 5x6x3, those before it are 5x4x3"),
            ([good, good], [0, -4], None, "row 1: label is -4"),
            ([good, good], [0, None], None, "row 1: label is None"),
            ([good], [1.0], pa.float32(), "column 'label' is float, need an integer"),
            ([good], ["cat"], pa.string(), "column 'label' is string, need an integer"),
            (["text"], [1], None, "column 'image' is string, need binary"),
            ([{"path": "x"}], [1], None, "need binary or a struct with 'bytes'"),
        ]
        for pictures, labels, kind, message in faults:
            text = refusal(parquet(path, pictures, labels, kind))
            assert text.startswith(f"{path}: ")
            assert message in text

    def test_sixteen_bit_pixels_are_refused(self, tmp_path: Path) -> None:
        deep = np.full((3, 4), 40000, np.uint16)
        assert "row 0: pixels of mode 'I;16'" in refusal(parquet(tmp_path / "a.parquet", [png(deep)], [0]))

    def test_columns_rows_and_the_file_itself(self, tmp_path: Path) -> None:
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"img": [b""], "label": [1]}), path)
        assert refusal(str(path)) == f"{path}: no column 'image'; it has: img, label"
        parquet(path, pa.array([], pa.binary()), [])
        assert "holds no rows" in refusal(str(path))
        for content in (b"", b"some text, long enough to look for a footer", b"PAR1 PAR1"):
            path.write_bytes(content)
            assert "not a readable Parquet file" in refusal(str(path))

    def test_labels_are_not_needed_for_pixels_alone(self, tmp_path: Path) -> None:
        want = [pixels(i) for i in range(5)]
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"image": [png(p) for p in want], "more": list("abcde")}), path, row_group_size=2)
        for limit in (1, 3, 5, None):
            np.testing.assert_array_equal(images.load_unlabelled(str(path), limit), want[:limit])
        assert "no column 'label'" in refusal(str(path))
        # Labels that no one asks for may be anything.
        spec = parquet(tmp_path / "b.parquet", [png(p) for p in want], [None, -1, 3, 3, 3])
        np.testing.assert_array_equal(images.load_unlabelled(spec), want)

    def test_real_files(self) -> None:
        lossless = images.load(str(require_data("cifar10_test_lossless_subset.parquet")), 20)
        assert lossless.images.shape == (20, 32, 32, 3)
        # The first ten classes of CIFAR-10's test set are known to many: cat, ship, ship, airplane, frog ...
        jpeg = images.load(str(require_data("cifar10_test.parquet")), 10)
        assert jpeg.labels.tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]


class TestFolder:
    @staticmethod
    def make(root: Path, counts: dict[str, int]) -> list[np.ndarray]:
        made: list[np.ndarray] = []
        for name, count in counts.items():
            (root / name).mkdir(parents=True)
            for i in range(count):
                made.append(pixels(len(made)))
                (root / name / f"{i}.png").write_bytes(png(made[-1]))
        return made

    def test_sorted_names_are_the_labels_and_classes_take_turns(self, tmp_path: Path) -> None:
        dogs_then_cats = self.make(tmp_path, {"dog": 3, "cat": 1})
        (tmp_path / "cat" / "notes.txt").write_text("not a picture")
        (tmp_path / "dog" / "._0.png").write_bytes(b"what some archives leave behind")
        got = images.load(str(tmp_path))
        assert got.labels.tolist() == [0, 1, 1, 1]
        np.testing.assert_array_equal(got.images, [dogs_then_cats[i] for i in (3, 0, 1, 2)])
        assert images.load(str(tmp_path), 2).labels.tolist() == [0, 1]

    def test_faults_name_the_file(self, tmp_path: Path) -> None:
        assert "no sub-folders" in refusal(str(tmp_path))
        (tmp_path / "empty").mkdir()
        assert "no .png, .jpg or .jpeg file in its 1 sub-folders" in refusal(str(tmp_path))
        self.make(tmp_path, {"cat": 1})
        (tmp_path / "cat" / "z.jpg").write_bytes(b"\xff\xd8\xff")
        assert refusal(str(tmp_path)).startswith(f"{tmp_path / 'cat' / 'z.jpg'}: not a readable")

    def test_pictures_alone_need_no_classes(self, tmp_path: Path) -> None:
        with pytest.raises(WvvError, match="in it or in its sub-folders, need at least one"):
            images.load_unlabelled(str(tmp_path))
        own = [pixels(90 + i) for i in range(2)]
        for i, picture in enumerate(own):
            (tmp_path / f"{i}.png").write_bytes(png(picture))
        np.testing.assert_array_equal(images.load_unlabelled(str(tmp_path)), own)
        dogs_then_cats = self.make(tmp_path, {"dog": 3, "cat": 1})
        # The folder's own first, then each sub-folder's in turn.
        want = [*own, *(dogs_then_cats[i] for i in (3, 0, 1, 2))]
        for limit in (1, 2, 3, 6, None):
            np.testing.assert_array_equal(images.load_unlabelled(str(tmp_path), limit), want[:limit])


class TestSpec:
    def test_what_is_no_data_set(self, tmp_path: Path) -> None:
        assert refusal("digit").startswith("no data set 'digit': no such file or folder; need the word digits")
        assert "no such file" in refusal(str(tmp_path / "none.parquet"))
        (tmp_path / "a.csv").write_text("1,2")
        assert "not a data set" in refusal(str(tmp_path / "a.csv"))

    @pytest.mark.parametrize("limit", [0, -3])
    def test_a_limit_below_one(self, limit: int) -> None:
        assert refusal("digits", limit) == f"limit is {limit}, need at least 1"
        with pytest.raises(WvvError, match=f"limit is {limit}, need at least 1"):
            images.load_unlabelled("digits", limit)


class TestDigits:
    def test_the_splits_share_nothing_and_lose_nothing(self) -> None:
        train, test = digits.load("train"), digits.load("test")
        assert (len(train), len(test)) == (1347, 450)
        assert np.bincount(test.labels).tolist() == [44, 46, 44, 46, 45, 46, 45, 45, 44, 45]
        every = sorted(image.tobytes() for part in (train, test) for image in part.images)
        source = digits.enlarge(load_digits().images.astype(np.int64))
        assert every == sorted(image.tobytes() for image in source)
        assert not {i.tobytes() for i in train.images} & {i.tobytes() for i in test.images}

    def test_the_split_is_this_one_for_ever(self) -> None:
        """A model trained on another split would have seen test images."""
        chosen = np.flatnonzero(digits.held_out(load_digits().target))
        assert chosen[:8].tolist() == FIRST_HELD_OUT
        assert int(chosen.sum()) == SUM_HELD_OUT

    def test_enlarged_like_pillows_bilinear_filter(self) -> None:
        small = load_digits().images[:40]
        for image, got in zip(small, digits.enlarge(small.astype(np.int64)), strict=True):
            want = np.asarray(Image.fromarray(image.astype(np.float32)).resize((16, 16), Image.Resampling.BILINEAR))
            np.testing.assert_array_equal(got[..., 0], np.floor(want * 255 / 16 + 0.5))

    def test_the_word_means_the_held_out_images(self) -> None:
        np.testing.assert_array_equal(images.load("digits", 7).images, digits.load("test").images[:7])
        assert len(images.load("digits")) == 450

    def test_without_labels_the_word_means_the_train_images(self) -> None:
        """What calibrates must not be what accuracy is measured on."""
        np.testing.assert_array_equal(images.load_unlabelled("digits", 7), digits.load("train").images[:7])
        assert len(images.load_unlabelled("digits")) == 1347


class TestToInput:
    def test_every_pixel_less_128(self) -> None:
        every = np.arange(256, dtype=np.uint8).reshape(2, 16, 8, 1)
        got = images.to_input(every, (1, 16, 8, 1), 1 / 255, -128)
        assert got.dtype == np.int8
        assert got.ravel().tolist() == list(range(-128, 128))

    @pytest.mark.parametrize(("scale", "zero_point"), [(1.0, -128), (1 / 255, -128), (2 / 255, 0), (0.0179, -14)])
    def test_a_float_input_gets_the_real_numbers_of_the_same_codes(self, scale: float, zero_point: int) -> None:
        every = np.arange(256, dtype=np.uint8).reshape(2, 16, 8, 1)
        got = images.to_input(every, (1, 16, 8, 1), scale, zero_point, "float32")
        assert got.dtype == np.float32
        np.testing.assert_allclose(got.ravel(), scale * (np.arange(-128, 128) - zero_point), rtol=1e-6)
        op = Quantize(Affine(to_float32(scale), zero_point))
        np.testing.assert_array_equal(apply(op, [got]), images.to_input(every, (1, 16, 8, 1), scale, zero_point))

    def test_both_shapes_are_named(self) -> None:
        with pytest.raises(WvvError, match="images are 5x4x3, the model's input is 32x32x3"):
            images.to_input(pixels(0)[np.newaxis], (1, 32, 32, 3), 1.0, -128)
        with pytest.raises(WvvError, match="the model's input is 640 "):
            images.to_input(pixels(0)[np.newaxis], (1, 640), 1.0, -128)

    @pytest.mark.parametrize(("scale", "zero_point"), [(0.0, -128), (1.0, 128)])
    def test_an_input_that_is_not_int8(self, scale: float, zero_point: int) -> None:
        with pytest.raises(WvvError, match="no int8 input"):
            images.to_input(pixels(0)[np.newaxis], (1, 5, 4, 3), scale, zero_point)
