"""What a full training shows while it runs, and the log that TensorBoard reads."""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.progress import Reporter, clock

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nas.fit import Epoch, Training


class Watcher(Reporter):
    """A bar on a terminal, a line for each epoch elsewhere."""

    def __init__(self, seeds: int, *, quiet: bool = False, log: Path | None = None) -> None:
        super().__init__(quiet=quiet)
        self.seeds, self.log = seeds, log
        self.nth = 0
        self.seed = 0
        self.training: Training | None = None
        self.last: Epoch | None = None
        self.writer: Any = None
        self.began = 0.0
        self.from_step = 0

    def begin(self, seed: int, training: Training) -> None:
        """See `Listener`."""
        self.nth += 1
        self.seed, self.training, self.last = seed, training, None
        self.began, self.from_step = time.monotonic(), training.at
        if self.log is not None:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(self.log / f"seed{seed}"), purge_step=training.done + 1)
        if not self.live:
            return
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        watcher = self

        class Shown(Progress):
            """Looks at the training whenever it is drawn."""

            def get_renderables(self) -> Iterable[RenderableType]:
                for task in self.tasks:
                    task.completed, task.description = watcher.status()
                yield from super().get_renderables()

        columns = (SpinnerColumn(), BarColumn(bar_width=24), TextColumn("{task.description}"))
        self.progress = Shown(*columns, console=self.console, transient=True, refresh_per_second=4)
        self.progress.add_task("", total=1.0)
        self.progress.start()

    def status(self) -> tuple[float, str]:
        """(share of this training that is done, one line)."""
        training = self.training
        assert training is not None
        which = f"seed {self.seed}" + (f" ({self.nth} of {self.seeds})" if self.seeds > 1 else "")
        parts = [which, f"epoch {min(training.done + 1, training.total)} of {training.total}"]
        if self.last is not None:
            parts.append(f"loss {self.last.loss:.4g}")
            if not math.isnan(self.last.accuracy):
                parts.append(f"validation {self.last.accuracy:.2%}")
        made = training.at - self.from_step
        if made:
            left = training.steps * (1 + self.seeds - self.nth) - training.at
            parts.append(f"{clock((time.monotonic() - self.began) * left / made)} left")
        return training.at / training.steps, " · ".join(parts)

    def epoch(self, epoch: Epoch) -> None:
        """See `Listener`."""
        self.last = epoch
        training = self.training
        assert training is not None
        if self.writer is not None:
            self.writer.add_scalar("loss/train", epoch.loss, epoch.epoch)
            self.writer.add_scalar("learning rate", training.rate, epoch.epoch)
            if not math.isnan(epoch.accuracy):
                self.writer.add_scalar("accuracy/validation", epoch.accuracy, epoch.epoch)
            self.writer.flush()
        if not self.live:
            self.line(self.status()[1].replace(f"epoch {training.done + 1} ", f"epoch {training.done} "))

    def finished(self, row: Mapping[str, Any]) -> None:
        """See `Listener`."""
        self.stop()
        if self.writer is not None:
            step = self.training.total if self.training is not None else 0
            self.writer.add_scalar("accuracy/test", row["test_accuracy"], step)
            self.writer.close()
        validated = f", validation {row['val_accuracy']:.2%}" if row["val_accuracy"] is not None else ""
        self.line(f"seed {row['seed']}: test accuracy {row['test_accuracy']:.2%}{validated}")


def log_folder(run: Path, wish: bool | None) -> tuple[Path | None, str | None]:
    """(where TensorBoard's log goes or None, a line to say) for a wish, of which None is: if installed."""
    if wish is False:
        return None, None
    if importlib.util.find_spec("tensorboard") is None:
        missing = 'TensorBoard is not installed (pip install "nas-engine[tensorboard]"): no log is written'
        return None, missing if wish else None
    return run / "tensorboard", f"log       tensorboard --logdir {run / 'tensorboard'}"
