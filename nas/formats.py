"""Writes networks in the formats in which others use them, and checks each file before it is there."""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save
from torch import Tensor, nn

from cells.fuse import Fold, fuse
from cells.genome import Genome, check_kind
from cells.ops import Shape
from nas.alone import Batch, Job
from nas.build import build, load_weights, metadata_of
from nas.exporting import class_name, file_names, genome_text, source_text
from nas.store import write_atomically
from nas.targets import Target
from nas.verify import VerificationError, require, run_alone

BATCHES = (1, 3)
"""Images in the batches on which files are checked: more than one size, because a batch may have any."""

TOLERANCE = 1e-4
"""Relative to the largest output, of what computes in another order: ONNX, folded norms."""

_ONE_FILE = 2**31 - 2**20
"""Bytes that an ONNX file can hold (a protobuf's 2 GiB); larger weights go into a file beside it."""

State = dict[str, Tensor]


class ExportError(RuntimeError):
    """What was asked for cannot be exported; the message says why and what to do."""


class Written(NamedTuple):
    """A file, and the largest difference of its outputs relative to the largest (None: it has none)."""

    file: Path
    difference: float | None


def export(
    target: Target,
    to: str | os.PathLike[str],
    *,
    name: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    fuse_bn: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> list[Written]:
    """Writes a network to a file, by its ending, or in every format to a folder.

    Every file is first written elsewhere and run in a process in which only what it needs can be imported:
    what it gives must be what the network gives, bit by bit, or within `TOLERANCE` for ONNX and folded
    norms. Only then does it take its place. Without weights (neither given nor kept by the run) the files
    that need some hold random ones, of which a warning tells.

    Args:
        name: of the class; None: the genome's kind.
        weights: a .safetensors or .pt file of ours; None: those that the run kept.
        fuse_bn: batch norms are folded into the convolutions before them (see `cells.fuse`).
        say: is told what is being done.

    Raises:
        ExportError: a package or a member's weights are missing, the format cannot say what the network does,
            or it has no place for the name or the weights.
        VerificationError: a file does not do what the network does; no file is left.
        WeightsError: the weights do not fit; the message names the first mismatch.
        Invalid: the name is no class name, or not free.
    """
    if name is not None:
        check_kind(name)
    to = Path(to)
    try:
        names = file_names(to)
    except ValueError as error:
        raise ExportError(str(error)) from error
    if weights is not None and names == [to.name] and to.suffix == ".json":
        raise ExportError(f"weights: {to} is a genome, which has none")
    if name is not None and not any(file.endswith(".py") for file in names):
        raise ExportError(f"name: {to} holds no class that could be called {name}")
    folder = to.parent if names == [to.name] else to
    if any(file.endswith(".onnx") for file in names):
        _needs_onnx()
    genome, folds = fuse(target.genome) if fuse_bn else (target.genome, ())
    if names == [to.name] and to.suffix == ".json":
        write_atomically(to, _checked_json(genome).encode())
        return [Written(to, None)]
    say("building")
    module = build(target.genome).eval()
    known = _load(module, target, weights)
    given = target.weights if weights is None else Path(weights)
    told = {} if given is None else metadata_of(given)
    handed = module
    if folds:
        handed = build(genome).eval()
        handed.load_state_dict(folded(module.state_dict(), folds))
    if not known and {Path(file).suffix for file in names} - {".py", ".json"}:
        warnings.warn(f"{target.name} comes without weights: random ones are written", stacklevel=2)
    beside = folder if folder.is_dir() else folder.parent  # on the same disk as what is to be replaced
    with tempfile.TemporaryDirectory(prefix=".export-", dir=beside) as scratch:
        work = Path(scratch)
        say("running")
        batches = _batches(work, module, target.genome.input)
        files = work / "files"
        files.mkdir()
        source = source_text(target, genome, name, weights=_beside(names))
        (work / "net.py").write_text(source)
        torch.save(handed.state_dict(), work / "net.pt")
        program = None
        for file in names:
            say(f"writing {file}")
            suffix = Path(file).suffix
            if suffix in (".pt2", ".onnx") and program is None:
                program = _traced(handed, genome.input)
            _write(files / file, genome, source, handed.state_dict(), program, told)
        params = sum(p.numel() for p in handed.parameters())
        differences: dict[str, float] = {}
        for only, jobs in _jobs(work, names, class_name(source), batches).items():
            say(f"checking {', '.join(jobs)}")
            found = run_alone([*jobs.values()], only, torch.get_num_threads())
            for (file, job), answer in zip(jobs.items(), found, strict=True):
                exact = not folds and not file.endswith(".onnx")
                differences[file] = require(job, answer, 0.0 if exact else TOLERANCE, params)
        folder.mkdir(exist_ok=True)
        for part in files.iterdir():  # large ONNX weights are a file of their own
            part.replace(folder / part.name)
    return [Written(folder / file, differences.get(file)) for file in names]


def _needs_onnx() -> None:
    missing = [p for p in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(p) is None]
    if missing:
        raise ExportError(f"an .onnx needs the extra onnx: pip install 'nas-engine[onnx]' (no {missing[0]})")


def _beside(names: Sequence[str]) -> str:
    """The weights file that the docstring names: of the same name as the .py."""
    return next((str(Path(file).with_suffix(".pt")) for file in names if file.endswith(".py")), "net.pt")


def _load(module: nn.Module, target: Target, weights: str | os.PathLike[str] | None) -> bool:
    """Fills the module's weights; returns whether they are trained ones."""
    if weights is not None:
        load_weights(module, weights)
        return True
    if target.members:
        module.load_state_dict(_members(target, module.state_dict()))
        return True
    if target.weights is not None:
        load_weights(module, target.weights)
        return True
    random_weights(module, target.genome.input)
    return False


def _members(target: Target, own: Mapping[str, Tensor]) -> State:
    """The weights of an ensemble, whose own names are given: those of its members, each under its place."""
    kept = [member for member in target.members if member.weights is not None]
    if len(kept) < len(target.members):
        raise ExportError(
            f"{target.name}: the run kept the weights of {len(kept)} of these networks "
            f"(vote among fewer, or search with --keep {len(target.members)})"
        )
    found: State = {}
    for number, member in enumerate(target.members):
        module = build(member.genome)
        load_weights(module, member.weights or "")
        for name, tensor in module.state_dict().items():
            found[f"members.{number}.{name}"] = tensor
    return {name: tensor for name, tensor in found.items() if name in own}


@torch.no_grad()
def random_weights(module: nn.Module, shape: Shape) -> None:
    """Fills a module with random weights (seed 0) under which every op has a say in the output.

    Those of torch will not do for a comparison: under them the signal of a deep network fades until its
    output is its last bias, and branches begin with a factor near 0. Here tensors of two or more dimensions
    are He-normal (He et al. 2015) over fan-in, others get noise, and batch norms the statistics of noise.
    The shifts of batch norms are about 1, where a ReLU is nearly linear: about 0, each layer without a
    shortcut makes more of a difference (Yang et al. 2019, arXiv 1902.08129), 110 of them 1e6 times as much,
    and rounding alone would break any tolerance.

    Args:
        shape: (C, H, W) of an image.
    """
    generator = torch.Generator().manual_seed(0)
    for tensor in module.parameters():
        noise = torch.randn(tensor.shape, generator=generator)
        if tensor.ndim > 1:
            tensor.copy_(noise * math.sqrt(2 * len(tensor) / tensor.numel()))
        else:
            tensor.add_(0.1 * noise)
    norms = [part for part in module.eval().modules() if isinstance(part, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.bias.add_(1)
        # Some of the old variance of 1 stays: a channel that never varies would be blown up.
        norm.train().momentum = 0.9
    module(torch.randn(4, *shape, generator=generator))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.eval().momentum = momentum
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked.zero_()


def folded(state: Mapping[str, Tensor], folds: Sequence[Fold]) -> State:
    """The weights of a fused genome from those of the original.

    A norm's y = g (x - m) / sqrt(v + eps) + b goes into the convolution: its filters times g / sqrt(v + eps),
    its bias c becomes (c - m) g / sqrt(v + eps) + b. Computed in fp64.
    """
    found = dict(state)
    for conv, norm, eps in folds:
        gamma, beta, mean, var = (
            found.pop(f"{norm}.{part}").double() for part in ("weight", "bias", "running_mean", "running_var")
        )
        found.pop(f"{norm}.num_batches_tracked")
        weight = found[f"{conv}.weight"]
        bias = found.get(f"{conv}.bias", torch.zeros_like(mean)).double()
        factor = gamma / torch.sqrt(var + eps)
        found[f"{conv}.weight"] = (weight.double() * factor[:, None, None, None]).to(weight.dtype)
        found[f"{conv}.bias"] = ((bias - mean) * factor + beta).to(weight.dtype)
    return found


@torch.no_grad()
def _batches(work: Path, module: nn.Module, shape: Shape) -> list[Batch]:
    """Files of random images and of what the network makes of them."""
    generator = torch.Generator().manual_seed(1)
    found: list[Batch] = []
    for count in BATCHES:
        x = torch.randn(count, *shape, generator=generator)
        y = module(x)
        if not torch.isfinite(y).all():
            raise VerificationError("the network itself gives numbers that are not finite")
        batch = Batch(
            x=str(work / f"x{count}"), y=str(work / f"y{count}"), x_shape=[*x.shape], y_shape=[*y.shape]
        )
        Path(batch["x"]).write_bytes(x.numpy().tobytes())
        Path(batch["y"]).write_bytes(y.numpy().tobytes())
        found.append(batch)
    return found


def _traced(module: nn.Module, shape: Shape) -> torch.export.ExportedProgram:
    """The module as torch.export sees it, for batches of any size."""
    batch = torch.export.Dim("batch")
    with _quiet():
        return torch.export.export(module, (torch.randn(2, *shape),), dynamic_shapes=({0: batch},))


def _write(
    file: Path,
    genome: Genome,
    source: str,
    state: State,
    program: torch.export.ExportedProgram | None,
    metadata: dict[str, str],
) -> None:
    if file.suffix == ".json":
        file.write_text(_checked_json(genome))
    elif file.suffix == ".py":
        file.write_text(source)
    elif file.suffix == ".pt":
        torch.save(state, file)
    elif file.suffix == ".safetensors":
        file.write_bytes(save({name: tensor.contiguous() for name, tensor in state.items()}, metadata))
    elif file.suffix == ".pt2":
        assert program is not None
        with _quiet():
            torch.export.save(program, file)
    else:
        assert program is not None
        _write_onnx(file, program, large=sum(tensor.nbytes for tensor in state.values()) > _ONE_FILE)


def _write_onnx(file: Path, program: torch.export.ExportedProgram, *, large: bool) -> None:
    try:
        with _quiet():
            torch.onnx.export(
                program,
                f=file,
                input_names=["input"],
                output_names=["output"],
                external_data=large,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error).strip().partition("\n")[0]
        raise ExportError(f"{file.name}: ONNX cannot express the network: {reason}") from error


def _checked_json(genome: Genome) -> str:
    text = genome_text(genome)
    if Genome.loads(text).key != genome.key:
        raise VerificationError("the genome is another when it is read again")
    return text


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch's exporters say of their own inside."""
    loud = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    levels = [logger.level for logger in loud]
    for logger in loud:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loud, levels, strict=True):
            logger.setLevel(level)


def _jobs(
    work: Path, names: Sequence[str], name: str, batches: list[Batch]
) -> dict[tuple[str, ...], dict[str, Job]]:
    """What is to be run: by the packages that it may import, and by file."""
    found: dict[tuple[str, ...], dict[str, Job]] = {}
    source, files = work / "net.py", work / "files"
    for file in names:
        written = files / file
        if written.suffix in (".pt2", ".onnx"):
            job = Job(file=str(written), name="", weights="", batches=batches)
        elif written.suffix in (".pt", ".safetensors"):
            job = Job(file=str(source), name=name, weights=str(written), batches=batches)
        elif written.suffix == ".py":
            job = Job(file=str(written), name=name, weights=str(work / "net.pt"), batches=batches)
        else:
            continue
        only = {".onnx": ("onnxruntime",), ".safetensors": ("torch", "safetensors")}
        found.setdefault(only.get(written.suffix, ("torch",)), {})[file] = job
    return found
