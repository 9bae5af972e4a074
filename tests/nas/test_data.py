"""Images are found in every layout that people have, and what is wrong is said in one line."""

import hashlib
import io
import pickle
import tarfile
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from nas import data, sources
from nas.recipe import Recipe
from nas.sources import DataError

RNG = np.random.default_rng(0)


def picture(size: int = 32) -> np.ndarray[Any, Any]:
    return RNG.integers(0, 256, (size, size, 3), dtype=np.uint8)


def png(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def parquet(path: Path, count: int, column: str = "img") -> list[np.ndarray[Any, Any]]:
    arrays = [picture() for _ in range(count)]
    images = [{"bytes": png(a), "path": None} for a in arrays]
    pq.write_table(pa.table({column: images, "label": [i % 10 for i in range(count)]}), path)
    return arrays


@pytest.mark.parametrize("folder", ["", "cifar10"])
def test_hugging_face_layout(tmp_path: Path, folder: str) -> None:
    home = tmp_path / folder
    home.mkdir(exist_ok=True)
    arrays = parquet(home / "train-0.parquet", 20)
    parquet(home / "test.parquet", 10, "img")
    place = sources.locate("auto", str(tmp_path))
    images = sources.load(place, "train")
    assert images.name == "cifar10"
    assert images.classes[3] == "cat"
    assert np.array_equal(images.pixels[7], arrays[7].transpose(2, 0, 1))
    assert len(sources.load(place, "test").labels) == 10
    assert sources.count(place) == 20


def batch(count: int) -> tuple[bytes, np.ndarray[Any, Any], list[int]]:
    pixels = RNG.integers(0, 256, (count, 3072), dtype=np.uint8)
    labels = [int(n) for n in RNG.integers(0, 10, count)]
    rows = np.concatenate([np.array(labels, dtype=np.uint8)[:, None], pixels], axis=1)
    return rows.tobytes(), pixels, labels


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_official_binary_archive_and_folder(tmp_path: Path) -> None:
    parts = {i: batch(5) for i in range(1, 6)}
    files = {f"cifar-10-batches-bin/data_batch_{i}.bin": b for i, (b, _, _) in parts.items()}
    files["cifar-10-batches-bin/test_batch.bin"] = batch(4)[0]
    archive(tmp_path / "cifar-10-binary.tar.gz", files)
    images = sources.load(sources.locate("cifar10", str(tmp_path)), "train")
    assert images.labels.tolist() == [n for _, _, labels in parts.values() for n in labels]
    assert np.array_equal(images.pixels[5:10], parts[2][1].reshape(-1, 3, 32, 32))
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz") as tar:
        tar.extractall(tmp_path / "out", filter="data")
    again = sources.load(sources.locate("cifar10", str(tmp_path / "out")), "train")
    assert np.array_equal(again.pixels, images.pixels)


def test_official_python_archive(tmp_path: Path) -> None:
    _, pixels, labels = batch(5)
    content = pickle.dumps({b"data": pixels, b"labels": labels}, protocol=2)
    files = {f"cifar-10-batches-py/{n}": content for n in ("data_batch_1", "test_batch")}
    archive(tmp_path / "cifar-10-python.tar.gz", files)
    images = sources.load(sources.locate("cifar10", str(tmp_path)), "train")
    assert np.array_equal(images.pixels, pixels.reshape(-1, 3, 32, 32))
    assert images.labels.tolist() == labels


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('unpickled')",))


def test_pickles_that_call_anything_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in ("data_batch_1", "test_batch"):
        (folder / name).write_bytes(pickle.dumps({b"data": Evil()}))
    with pytest.raises(DataError, match=r"builtins\.exec: refused"):
        sources.load(sources.locate("cifar10", str(tmp_path)), "train")


def test_folder_of_class_folders(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for i in range(10):
            Image.fromarray(picture(16 if i else 12)).save(tmp_path / label / f"{i}.png")
    place = sources.locate(str(tmp_path), None)
    train, test = sources.load(place, "train"), sources.load(place, "test")
    assert train.classes == ("cat", "dog")
    assert (len(train.labels), len(test.labels)) == (16, 4)
    assert train.shape == (3, 12, 12)


def test_any_parquet(tmp_path: Path) -> None:
    table = pa.table({"image": [png(picture(8)) for _ in range(10)], "label": list("abababcacb")})
    pq.write_table(table, tmp_path / "mine.parquet")
    images = sources.load(sources.locate(str(tmp_path / "mine.parquet"), None), "train")
    assert images.classes == ("a", "b", "c")
    assert images.shape == (3, 8, 8)


def test_digits() -> None:
    images = sources.load(sources.locate("digits", None), "train")
    assert images.pixels.shape == (1438, 3, 32, 32)
    assert images.pixels.max() == 255
    assert len(sources.load(("digits", None), "test").labels) == 359


def test_what_is_wrong_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"--data-dir: .* is not a directory"):
        sources.locate("auto", str(tmp_path / "absent"))
    with pytest.raises(DataError, match="no CIFAR-10 in"):
        sources.locate("cifar10", str(tmp_path))
    with pytest.raises(DataError, match="neither auto"):
        sources.locate("imagenet", None)
    (tmp_path / "train.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "test.parquet").write_bytes(b"")
    with pytest.raises(DataError, match="cannot read"):
        sources.load(sources.locate("cifar10", str(tmp_path)), "train")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "train.parquet")
    with pytest.raises(DataError, match="needs columns img"):
        sources.load(sources.locate("cifar10", str(tmp_path)), "train")
    monkeypatch.setenv("NAS_DATA_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"\$NAS_DATA_DIR"):
        sources.locate("auto", None)


def test_auto_falls_back_to_digits_when_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAS_DATA_DIR", raising=False)
    monkeypatch.setattr(sources, "cache_dir", lambda: tmp_path)

    def offline(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("urllib.request.OpenerDirector.open", offline)
    assert sources.locate("auto", None) == ("digits", None)
    with pytest.raises(DataError, match=r"cannot be downloaded .*no route.*--data-dir"):
        sources.locate("cifar10", None)


def test_download_checks_what_came(tmp_path: Path) -> None:
    source = archive(tmp_path / "source.tar.gz", {"cifar-10-batches-bin/test_batch.bin": batch(2)[0]})
    seen: list[int] = []
    md5 = hashlib.md5(source.read_bytes()).hexdigest()
    got = sources.download(
        tmp_path / "cache", lambda what, done, total: seen.append(done), source.as_uri(), md5
    )
    assert got.read_bytes() == source.read_bytes()
    assert seen[-1] == source.stat().st_size
    got.unlink()
    with pytest.raises(DataError, match=r"checksum .* not used"):
        sources.download(tmp_path / "cache", url=source.as_uri(), md5="0" * 32)
    assert not list((tmp_path / "cache").iterdir())


def test_split_is_fixed_and_disjoint() -> None:
    images = sources.load(("digits", None), "train")
    recipe = Recipe(val_images=288, train_images=500)
    one = data.split(images, recipe, torch.device("cpu"))
    other = data.split(images, Recipe(val_images=288), torch.device("cpu"))
    assert len(one.y) == 500
    assert len(other.y) == 1150
    assert torch.equal(one.val_x, other.val_x)
    assert torch.equal(other.x[:500], one.x)
    assert torch.equal(one.mean, other.mean)
    pixels = other.x.float()
    assert torch.allclose(one.mean.flatten(), pixels.mean((0, 2, 3)), atol=1e-3)
    assert torch.allclose(one.std.flatten(), pixels.std((0, 2, 3)), rtol=1e-2)
    with pytest.raises(DataError, match="too few"):
        data.split(images, Recipe(val_images=5000), torch.device("cpu"))


def test_augmentation_is_a_crop_and_a_flip_of_each_image() -> None:
    pixels = torch.arange(2 * 3 * 6 * 6, dtype=torch.uint8).view(2, 3, 6, 6)
    same = data.augment(pixels, 0, False, torch.Generator())
    assert torch.equal(same, pixels)
    padded = torch.nn.functional.pad(pixels.float(), (2, 2, 2, 2), mode="reflect")
    windows = {
        tuple(w.flatten().tolist())
        for image in padded
        for y in range(5)
        for x in range(5)
        for w in (image[:, y : y + 6, x : x + 6], image[:, y : y + 6, x : x + 6].flip(2))
    }
    seen = set()
    for seed in range(200):
        made = data.augment(pixels, 2, True, torch.Generator().manual_seed(seed)).float()
        seen |= {tuple(image.flatten().tolist()) for image in made}
    assert seen <= windows
    assert len(seen) > 50
