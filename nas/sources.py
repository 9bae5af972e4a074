"""Images and labels: found, read from what people have, or downloaded."""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import pickle
import tarfile
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # as published beside the archive

Part = Literal["train", "test"]
Progress = Callable[[str, int, int], None]
"""Called with what is going on, how much of it is done, and how much there is."""


class DataError(OSError):
    """Data that are not there, cannot be read or cannot be fetched; the message says what to do."""


@dataclass(frozen=True)
class Images:
    """One part of a data set: `pixels` uint8 (N, 3, H, W), `labels` int64 (N,), names of the classes."""

    name: str
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    source: str = ""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return tuple(self.pixels.shape[1:])


def silent(what: str, done: int, total: int) -> None:
    """Reports nothing."""


def cache_dir() -> Path:
    """Where downloads are kept."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("nas-engine"))


def locate(dataset: str, data_dir: str | None, progress: Progress = silent) -> tuple[str, Path | None]:
    """(name, place) of a data set, without reading it; place None: digits, which scikit-learn brings.

    `auto` is CIFAR-10 where it is at hand or can be downloaded, otherwise digits.

    Raises:
        DataError: there is nothing of that name.
    """
    if dataset == "digits":
        return "digits", None
    if dataset in ("auto", "cifar10"):
        explicit = data_dir or os.environ.get("NAS_DATA_DIR")
        if explicit:
            folder = Path(explicit)
            flag = "--data-dir" if data_dir else "$NAS_DATA_DIR"
            if not folder.is_dir():
                raise DataError(f"{flag}: {explicit} is not a directory that can be read")
            found = _cifar_in(folder)
            if found is None:
                raise DataError(
                    f"{flag}: no CIFAR-10 in {explicit} (looked for train*.parquet and test*.parquet, the "
                    "official archives and their unpacked folders, there and in cifar10/)"
                )
            return "cifar10", found
        found = _cifar_in(cache_dir())
        if found is not None:
            return "cifar10", found
        try:
            return "cifar10", download(cache_dir(), progress)
        except DataError:
            if dataset == "cifar10":
                raise
            return "digits", None
    place = Path(dataset)
    if not place.exists():
        raise DataError(f"--dataset: {dataset!r} is neither auto, cifar10 or digits nor a file or folder")
    return dataset, place


def count(place: tuple[str, Path | None]) -> int:
    """Training images of CIFAR-10 or digits, without decoding them. Raises `DataError`."""
    path = place[1]
    if path is None:
        return len(_digits("train").labels)
    if not path.is_dir() or not _parquet(path, "train"):
        return 50_000  # the official batches
    import pyarrow.parquet as pq

    try:
        return sum(pq.read_metadata(file).num_rows for file in _parquet(path, "train"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def load(place: tuple[str, Path | None], part: Part, progress: Progress = silent) -> Images:
    """Reads one part of what `locate` found. Raises `DataError`."""
    name, path = place
    try:
        if path is None:
            return _digits(part)
        if path.is_dir():
            parquet = _parquet(path, part)
            if parquet:
                return _read_parquet(name, parquet, progress)
            if (path / "test_batch.bin").is_file() or (path / "test_batch").is_file():
                return _read_batches(name, path, part)
            return _read_folder(name, path, part, progress)
        if path.suffix == ".parquet":
            return _partition(_read_parquet(name, [path], progress), part)
        return _read_archive(name, path, part)
    except (OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"cannot read {path}: {type(error).__name__}: {error}") from error


def _parquet(folder: Path, part: Part) -> list[Path]:
    return sorted(folder.glob(f"{part}*.parquet"))


def _cifar_in(folder: Path) -> Path | None:
    for place in (folder, folder / "cifar10"):
        if _parquet(place, "train") and _parquet(place, "test"):
            return place
        for name in ("cifar-10-batches-bin", "cifar-10-batches-py", ""):
            if (place / name / "test_batch.bin").is_file() or (place / name / "test_batch").is_file():
                return place / name
        for name in ("cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"):
            if (place / name).is_file():
                return place / name
    return None


def download(folder: Path, progress: Progress = silent, url: str = URL, md5: str = MD5) -> Path:
    """Fetches the official CIFAR-10 archive and checks it. Raises `DataError`, also when offline."""
    target = folder / "cifar-10-binary.tar.gz"
    partial = target.with_suffix(f".{os.getpid()}.part")
    digest = hashlib.md5(usedforsecurity=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(url, timeout=10) as answer, partial.open("wb") as file:
            total = int(answer.headers.get("Content-Length") or 0)
            while block := answer.read(1 << 18):
                file.write(block)
                digest.update(block)
                progress("downloading CIFAR-10", file.tell(), total)
        if digest.hexdigest() != md5:
            raise DataError(f"{url} came with checksum {digest.hexdigest()}, not {md5}: not used")
        partial.replace(target)
    except DataError:
        raise
    except (OSError, http.client.HTTPException) as error:  # URLError and TimeoutError are OSErrors
        reason = getattr(error, "reason", error)
        raise DataError(
            f"CIFAR-10 is not at hand and cannot be downloaded from {url} ({reason}): put it in a folder and "
            "name that with --data-dir, or use --dataset digits"
        ) from error
    finally:
        if partial.exists():
            partial.unlink()
    return target


def _decode(content: bytes, size: tuple[int, int] | None, name: str) -> NDArray[np.uint8]:
    """(H, W, 3), resized to (width, height) if that is given."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            rgb = image.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{name} cannot be read as an image") from error
    if size is not None and rgb.size != size:
        rgb = rgb.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(rgb, dtype=np.uint8)


def _decode_all(
    contents: Sequence[bytes], progress: Progress, names: Sequence[str] | None = None
) -> NDArray[np.uint8]:
    """(N, 3, H, W), all in the size of the first image. Raises `DataError` naming the image at fault."""
    if not contents:
        raise DataError("there are no images")
    called = names or [f"image {i} (of {len(contents)})" for i in range(len(contents))]
    height, width = _decode(contents[0], None, called[0]).shape[:2]
    pixels = np.empty((len(contents), 3, height, width), dtype=np.uint8)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        images = pool.map(lambda c, n: _decode(c, (width, height), n), contents, called)
        for i, image in enumerate(images):
            pixels[i] = image.transpose(2, 0, 1)
            if i % 1000 == 999 or i + 1 == len(contents):
                progress("decoding images", i + 1, len(contents))
    return pixels


def _read_parquet(name: str, files: Sequence[Path], progress: Progress) -> Images:
    import pyarrow.parquet as pq

    tables = [pq.read_table(file) for file in files]
    columns = tables[0].column_names
    image = next((c for c in ("img", "image", "images", "pixels") if c in columns), None)
    label = next((c for c in ("label", "labels", "fine_label", "class") if c in columns), None)
    if image is None or label is None:
        raise DataError(f"{files[0]}: needs columns img (or image) and label, has {', '.join(columns)}")
    contents: list[bytes] = []
    labels: list[Any] = []
    for table in tables:
        for value in table[image].to_pylist():
            contents.append(value["bytes"] if isinstance(value, dict) else value)
        labels += table[label].to_pylist()
    if not contents or any(not isinstance(c, bytes) for c in contents) or any(v is None for v in labels):
        raise DataError(f"{files[0]}: there are no images, or an image or a label is missing")
    given = _names(tables[0].schema.metadata, label)
    if all(type(v) is int for v in labels):
        number = max(labels) + 1
        if min(labels) < 0 or number > len(labels):
            raise DataError(
                f"{files[0]}: labels must count classes from 0, not {min(labels)} to {max(labels)}"
            )
        known = CIFAR10 if name == "cifar10" and number == 10 else [str(i) for i in range(number)]
        classes = [str(n) for n in (given if given and len(given) >= number else known)]
        numbers = labels
    elif all(isinstance(v, str) for v in labels):
        classes = sorted(set(labels))
        numbers = [classes.index(v) for v in labels]
    else:
        raise DataError(f"{files[0]}: labels must be whole numbers or text, not {type(labels[0]).__name__}")
    return Images(
        name,
        _decode_all(contents, progress),
        np.asarray(numbers, dtype=np.int64),
        tuple(classes),
        source=str(files[0].parent),
    )


def _names(metadata: dict[bytes, bytes] | None, label: str) -> list[Any] | None:
    """The class names that Hugging Face keeps in a file's metadata."""
    import json

    found: Any = json.loads((metadata or {}).get(b"huggingface", b"{}"))
    for key in ("info", "features", label, "names"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, list) else None


class _ArraysOnly(pickle.Unpickler):
    """Loads the official Python batches: plain containers, bytes and arrays, and nothing else."""

    _allowed = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            raise pickle.UnpicklingError(f"the file refers to {module}.{name}: refused")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _batch(content: bytes, binary: bool) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    if binary:
        rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, 3073)
        return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].astype(np.int64)
    data = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    return data[b"data"].reshape(-1, 3, 32, 32), np.asarray(data[b"labels"], dtype=np.int64)


def _join(name: str, source: Path, batches: Iterable[tuple[bytes, bool]]) -> Images:
    parts = [_batch(content, binary) for content, binary in batches]
    if not parts:
        raise DataError(f"{source}: no batches of CIFAR-10 in it")
    pixels, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Images(name, pixels, labels, tuple(CIFAR10), source=str(source))


def _of_part(file: str, part: Part) -> bool:
    stem = file.rpartition("/")[2].removesuffix(".bin")
    return stem == "test_batch" if part == "test" else stem in {f"data_batch_{i}" for i in range(1, 6)}


def _read_batches(name: str, folder: Path, part: Part) -> Images:
    files = sorted(f for f in folder.iterdir() if _of_part(f.name, part))
    return _join(name, folder, ((f.read_bytes(), f.suffix == ".bin") for f in files))


def _read_archive(name: str, file: Path, part: Part) -> Images:
    def members() -> Iterator[tuple[bytes, bool]]:
        with tarfile.open(file) as archive:
            for member in sorted(archive.getmembers(), key=lambda m: m.name):
                content = archive.extractfile(member) if _of_part(member.name, part) else None
                if content is not None:
                    yield content.read(), member.name.endswith(".bin")

    try:
        return _join(name, file, members())
    except tarfile.TarError as error:
        raise DataError(f"cannot read {file}: {error}") from error


def _read_folder(name: str, folder: Path, part: Part, progress: Progress) -> Images:
    """DIR/train/CLASS/*, DIR/test/CLASS/*, or DIR/CLASS/* of which a fifth is the test part."""
    split = (folder / "train").is_dir()
    base = folder / part if split else folder
    classes = sorted(p.name for p in base.iterdir() if p.is_dir()) if base.is_dir() else []
    suffixes = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
    files = [
        (file, number)
        for number, label in enumerate(classes)
        for file in sorted((base / label).rglob("*"))
        if file.suffix.lower() in suffixes
    ]
    if not files:
        raise DataError(f"{folder}: no images in class folders, and no train*.parquet")
    pixels = _decode_all([f.read_bytes() for f, _ in files], progress, [str(f) for f, _ in files])
    labels = np.asarray([number for _, number in files], dtype=np.int64)
    images = Images(name, pixels, labels, tuple(classes), source=str(folder))
    return images if split else _partition(images, part)


def _partition(images: Images, part: Part) -> Images:
    """A fixed fifth is the test part of data that come in one piece."""
    order = np.random.default_rng(0).permutation(len(images.labels))
    cut = len(order) // 5
    chosen = order[:cut] if part == "test" else order[cut:]
    return Images(images.name, images.pixels[chosen], images.labels[chosen], images.classes, images.source)


def _digits(part: Part) -> Images:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    gray = np.round(bunch.images * (255 / 16)).astype(np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    pixels = np.ascontiguousarray(np.broadcast_to(gray[:, None], (len(gray), 3, 32, 32)))
    labels = bunch.target.astype(np.int64)
    everything = Images("digits", pixels, labels, tuple("0123456789"), source="scikit-learn")
    return _partition(everything, part)
