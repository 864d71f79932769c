"""Training: the same weights after a kill, other settings refused, a loss that is no number, batches by their key."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which is not among the test packages")
from torch import nn  # noqa: E402

from tvm_wvv.errors import WvvError  # noqa: E402
from tvm_wvv.qat.batches import Pictures, batch, order  # noqa: E402
from tvm_wvv.qat.convert import Winograd, convert  # noqa: E402
from tvm_wvv.qat.layers import WinogradConv2d  # noqa: E402
from tvm_wvv.qat.train import Settings, Stopped, Watch, train  # noqa: E402
from tvm_wvv.transforms.catalog import by_name  # noqa: E402

# Tensors this small only wait for other threads.
torch.set_num_threads(1)
SETTINGS = Settings(epochs=3, batch=8, seed=4)
STEPS = 3 * (52 // 8)


class KilledError(RuntimeError):
    """Stands for the end of the process."""


class Killing(nn.Module):
    """A teacher that ends the process when asked for the answer number `at`."""

    def __init__(self, inner: nn.Module, at: int) -> None:
        super().__init__()
        self.inner, self.left = inner, at

    def forward(self, x: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise KilledError
        return self.inner(x)


def data() -> Pictures:
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (52, 9, 6, 3), generator=random, dtype=torch.uint8)
    return Pictures(images, torch.randint(0, 4, (52,), generator=random), 115)


def float_network() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4)
    )


def network() -> nn.Module:
    made = float_network()
    convert(made, lambda _name, _layer: Winograd(by_name("f4")))
    first, last = made[0], made[4]
    assert isinstance(first, WinogradConv2d)
    first.source.assign(-0.5, 0.6)
    last.source.assign(0.0, 1.0)
    first.calibrating = True
    made(data().real(data().images))
    first.calibrating = False
    return made


def trained(
    folder: Path, settings: Settings = SETTINGS, teacher: nn.Module | None = None, save_s: float = 0
) -> nn.Module:
    made = network()
    steps = train(made, teacher or float_network(), data(), settings, folder, lambda _: None, save_s=save_s)
    assert steps == STEPS
    return made


@pytest.mark.parametrize("killed_at", [2, 7, STEPS])
def test_resumed_training_ends_in_the_same_weights(killed_at: int, tmp_path: Path) -> None:
    whole = trained(folder(tmp_path, "whole"), save_s=1e9).state_dict()
    broken = folder(tmp_path, "broken")
    with pytest.raises(KilledError):
        trained(broken, teacher=Killing(float_network(), killed_at))
    resumed = trained(broken).state_dict()
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name
    start = network().state_dict()
    assert any(not torch.equal(value, start[name]) for name, value in whole.items() if name.endswith("log2"))
    assert not torch.equal(whole["0.weight"], start["0.weight"])


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    one, other = (
        trained(folder(tmp_path, str(seed)), Settings(epochs=3, batch=8, seed=seed)).state_dict() for seed in (4, 5)
    )
    assert not torch.equal(one["0.weight"], other["0.weight"])


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    trained(tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(WvvError, match=r"checkpoint\.pt: made with seed 4, not 9: resume with the same, or take anoth"):
        trained(tmp_path, Settings(epochs=3, batch=8, seed=9))
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_what_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(WvvError, match=r"checkpoint\.pt: no readable checkpoint \("):
        trained(tmp_path)
    assert (tmp_path / "checkpoint.pt").read_bytes() == content


def test_a_loss_that_is_no_number_ends_training_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    trained(tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    made = network()
    with torch.no_grad():
        made[4].bias.fill_(float("nan"))
    (tmp_path / "other").mkdir()
    with pytest.raises(WvvError, match=r"step 1: the loss is nan; .* lower --rate"):
        train(made, float_network(), data(), SETTINGS, tmp_path / "other", lambda _: None, save_s=0)
    assert list((tmp_path / "other").iterdir()) == []
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_a_full_disk_leaves_the_checkpoint(tmp_path: Path) -> None:
    trained(tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(WvvError, match=r"checkpoint\.pt: cannot be written: File too large"):
            trained(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    trained(tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    other = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4))
    with pytest.raises(
        WvvError, match=r"checkpoint\.pt: of another network \(Error\(s\) in loading .*\): take another"
    ):
        train(other, float_network(), data(), SETTINGS, tmp_path, lambda _: None)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_a_loss_that_is_no_number_is_not_saved_at_the_end(tmp_path: Path) -> None:
    made = network()
    with torch.no_grad():
        made[4].bias.fill_(float("nan"))
    with pytest.raises(WvvError, match="the loss is nan"):
        train(made, float_network(), data(), SETTINGS, tmp_path, lambda _: None, save_s=1e9)
    assert list(tmp_path.iterdir()) == []


def test_a_watch_sees_each_step_measures_each_epoch_and_stops(tmp_path: Path) -> None:
    seen: list[tuple[float, int]] = []
    lines: list[dict[str, Any]] = []
    watch = Watch(
        lambda done, step: seen.append((done, step)), lambda: len(seen) == 15, 1, lambda: {"set": {"top1": 7.0}}
    )
    made = network()
    with pytest.raises(Stopped) as stopped:
        train(made, float_network(), data(), SETTINGS, tmp_path, lines.append, save_s=1e9, watch=watch)
    assert stopped.value.args == (15,) and [step for _, step in seen] == list(range(1, 16))
    assert seen[-1][0] == 15 / STEPS
    assert lines == [{"step": 6 * n, "epoch": n, "tests": {"set": {"top1": 7.0}}} for n in (1, 2)]
    # Where it stopped, it goes on, and ends where an unbroken one does.
    resumed, whole = trained(tmp_path).state_dict(), trained(folder(tmp_path, "whole"), save_s=1e9).state_dict()
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_too_few_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WvvError, match="52 images are less than one batch of 64"):
        train(network(), float_network(), data(), Settings(epochs=1, batch=64), tmp_path, lambda _: None)


def test_minutes_end_by_the_clock(tmp_path: Path) -> None:
    steps = train(network(), float_network(), data(), Settings(minutes=1 / 60, batch=8), tmp_path, lambda _: None)
    assert steps > 0


def test_batches_depend_on_their_key_alone() -> None:
    pictures, chosen = data(), order(52, 1, 2)[:8]
    first, again, other = (batch(pictures, chosen, 1, 2, step) for step in (3, 3, 4))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])
    assert sorted(order(52, 1, 2).tolist()) == list(range(52))


def test_a_batch_holds_shifted_and_mirrored_images() -> None:
    """Each one is found among the 9 x 9 x 2 ways to shift and mirror its original within pixels of zero."""
    pictures = data()
    chosen = torch.tensor([5, 11, 40])
    got, labels = batch(pictures, chosen, 3, 0, 1)
    assert torch.equal(labels, pictures.labels[chosen])
    for image, original in zip(got, pictures.real(pictures.images[chosen]), strict=True):
        wide = nn.functional.pad(original, (4, 4, 4, 4))
        ways = [wide[:, y : y + 9, x : x + 6] for y in range(9) for x in range(9)]
        assert any(torch.equal(image, one) or torch.equal(image, one.flip(2)) for one in ways)


def folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made
