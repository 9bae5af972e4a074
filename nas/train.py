"""`python -m nas.train`: train one network fully, or fine-tune it on other data."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas.cli import guard, natural, parser, positive, seed

if TYPE_CHECKING:
    from nas.training import TrainPlan
    from nas.watching import Watcher

EXAMPLES = """\
  python -m nas.train runs/first --data-dir ../data --seeds 3
  python -m nas.train resnet20 --recipe paper --data-dir ../data --dataset cifar10
  python -m nas.train resnet20 --recipe paper --epochs 5 --set lr=0.05
  python -m nas.train runs/first --init weights --dataset photos/ --lr-factor lecture
  python -m nas.train runs/first --init weights --dataset photos/ --freeze until:stage3
  python -m nas.train runs/first --init weights --dataset photos/ --linear
"""


def seeds(text: str) -> tuple[int, ...]:
    """A count, or seeds with commas."""
    if "," not in text:
        return tuple(range(positive(text)))
    found = tuple(seed(part) for part in text.strip(",").split(","))
    if len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"{text!r} names a seed twice")
    return found


def setting(text: str) -> tuple[str, str]:
    """NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE, such as lr=0.05")
    return name.replace("-", "_"), value


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    p = parser("train", EXAMPLES)
    p.add_argument("target", metavar="TARGET", help="NAME, FILE.json, RUN (its best), RUN:best or RUN:KEY")
    p.add_argument(
        "--stem", choices=("published", "small"), default="published", help="small: no strides in the stem"
    )
    g = p.add_argument_group("data and training")
    g.add_argument(
        "--dataset",
        default="auto",
        metavar="NAME",
        help="auto, cifar10, digits, a folder or a Parquet file (default: auto)",
    )
    g.add_argument(
        "--data-dir", metavar="DIR", help="where CIFAR-10 lies (default: $NAS_DATA_DIR or the user cache)"
    )
    g.add_argument(
        "--recipe",
        choices=("standard", "paper", "brief"),
        default="standard",
        help="standard, the network's paper's, or a search's (default: standard)",
    )
    g.add_argument("--epochs", type=positive, metavar="N", help="(default: the recipe's)")
    g.add_argument("--train-images", type=positive, metavar="N", help="used (default: all)")
    g.add_argument(
        "--val-images",
        type=natural,
        metavar="N",
        help="held out to watch the training (default: the recipe's)",
    )
    g.add_argument(
        "--set",
        type=setting,
        action="append",
        default=[],
        dest="settings",
        metavar="NAME=VALUE",
        help="any field of the recipe, such as lr=0.05, mixup=0.2 or schedule=step; may be repeated",
    )
    g.add_argument(
        "--seeds",
        type=seeds,
        default=(0,),
        metavar="N",
        help="how many, from 0, or which, with commas: 3 is 0,1,2 (default: 1)",
    )
    g = p.add_argument_group("transfer")
    g.add_argument(
        "--init",
        metavar="FILE",
        help="weights to start from, or `weights`: those that the search kept (default: none)",
    )
    g.add_argument(
        "--new-head",
        action="store_true",
        help="start the head anew although its weights fit (default: where data or classes are others)",
    )
    g.add_argument(
        "--freeze",
        default="",
        metavar="PARTS",
        help="until:stage3, all-but-head, or paths with commas; batch norms keep their statistics",
    )
    g.add_argument(
        "--lr-factor",
        metavar="PARTS",
        help="factors of the learning rate, such as stem=0,stage1=0.01,head=0.1; lecture: first third of "
        "the layers 0, the rest 0.01, the head 0.1",
    )
    g.add_argument(
        "--linear",
        nargs="?",
        const="head",
        metavar="PART",
        help="fit a linear classifier on frozen features: those the head reads, or those of PART (stage2)",
    )
    g = p.add_argument_group("where it goes")
    g.add_argument(
        "--run",
        metavar="DIR",
        help="run directory, continued if it is there (default: one in runs/, by options)",
    )
    g.add_argument(
        "--tensorboard",
        action=argparse.BooleanOptionalAction,
        help="write a log for TensorBoard (default: where it is installed)",
    )
    g.add_argument("--cpu", action="store_true", help="train on the CPU even where there is a GPU")
    g.add_argument("--quiet", action="store_true", help="only the result")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    p = arguments()
    given = p.parse_args(argv)
    if given.linear and (given.freeze or given.lr_factor or given.epochs):
        p.error("argument --linear: trains no epochs and freezes everything: leave out the other flags")

    from nas.training import Wishes, pairs_of, plan
    from nas.watching import Watcher, log_folder
    from search_spaces import load_plugins

    load_plugins()
    fields = {f.name for f in dataclasses.fields(Wishes)}
    values = {k: v for k, v in vars(given).items() if k in fields}
    values["freeze"] = tuple(part.strip() for part in given.freeze.split(",") if part.strip())
    values["lr_factor"] = pairs_of(given.lr_factor) if given.lr_factor else ()
    values["settings"] = tuple(given.settings)
    watcher = Watcher(len(given.seeds), quiet=given.quiet)
    settled = plan(Wishes(**values), watcher.loading)
    watcher.log, said = log_folder(settled.run, given.tensorboard)
    for line in settled.header() + ([said] if said else []):
        watcher.line(line)
    return _train(settled, watcher)


def _train(plan: TrainPlan, watcher: Watcher) -> int:
    from nas.final import train
    from nas.fit import TrainingFailedError
    from nas.training import summary

    try:
        rows = train(plan, watcher)
    except KeyboardInterrupt:
        watcher.console.print(
            f"Interrupted; every finished epoch is in {plan.run}. The same command goes on.", markup=False
        )
        return 130
    except TrainingFailedError as error:
        print(f"nas: {error}: try a lower learning rate (--set lr=...)", file=sys.stderr)
        return 1
    finally:
        watcher.stop()
    watcher.console.print(f"{plan.name}: {summary(rows)}", markup=False)
    watcher.console.print(f"weights   {plan.run / rows[0]['weights']}", markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
