"""A policy that answers the questions of any space one by one, and the gradient of what it answered.

An answer is fed to an LSTM; its next output, through the head of the next question, gives the logits of
that question's answers (Zoph & Le 2017, arXiv:1611.01578, section 3.1). Heads and embeddings come to be when
their question is met, each drawn from a generator of its own, so that the order of meeting does not matter.
Without the LSTM, the logits of each question are parameters themselves, as in NATS-Bench (Dong et al. 2021,
arXiv:2009.00437).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from nas.strategies.vocabulary import Question
from search_spaces.choose import Domain, Group, Recorder, Scalar

if TYPE_CHECKING:
    import numpy
    from torch import Tensor

    Array = numpy.ndarray[Any, Any]

INITIAL = 0.1
"""Weights are drawn uniformly from -0.1 to 0.1, and b from 1e-3 N(0, 1) as in NATS-Bench: so small that at
first answers follow the distributions of their domains."""


@dataclass(frozen=True)
class State:
    """What the policy remembers: (layers, H) outputs h and cells c, and the next input x (H,)."""

    h: Array
    c: Array
    x: Array


class Met:
    """A question that was met, and what is learned of it.

    Attributes:
        tensor: (k, 1 + 2H), for each feature of an answer b, W and U: logits are prior + features (b + W h),
            and what is fed back of an answer is its features U.
        b, w, u: the same memory.
    """

    def __init__(self, question: Question, seed: int, hidden: int) -> None:
        import torch

        generator = torch.Generator().manual_seed(seed)
        k = question.features.shape[1]
        common = 1e-3 * torch.randn(k, 1, generator=generator)
        others = torch.empty(k, 2 * hidden).uniform_(-INITIAL, INITIAL, generator=generator)
        self.question = question
        self.tensor = torch.nn.Parameter(torch.cat([common, others], 1))
        array: Array = self.tensor.detach().numpy()
        self.b, self.w, self.u = array[:, 0], array[:, 1 : 1 + hidden], array[:, 1 + hidden :]


@dataclass(frozen=True)
class Batch:
    """B answer vectors of up to T answers, P in all; rows are those of all answers to all their questions.

    Attributes:
        met: the questions.
        fed: (T, B) row of each answer; 0 where a vector has ended.
        asked: (T, B) where it has not.
        rows: (P, n) rows of all answers to the same question; where there are fewer, one after the last.
        chosen: (P,) which of these it is.
        owner: (P,) whose it is.
    """

    met: list[Met]
    fed: Tensor
    asked: Tensor
    rows: Tensor
    chosen: Tensor
    owner: Tensor


class Policy:
    """Probabilities of answers, given those before.

    Args:
        seeds: gives the seed of the parameters of a name.
        hidden: H, of the LSTM; 0: none, questions are independent.
        lr: of Adam.
    """

    def __init__(self, seeds: Callable[[str], int], hidden: int, layers: int, lr: float) -> None:
        import torch

        self.seeds, self.hidden, self.layers = seeds, hidden, layers
        self.known: dict[str, Met] = {}
        self.lstm: torch.nn.LSTM | None = None
        shared: list[torch.nn.Parameter] = []
        if hidden:
            # Made without values, so that torch's own generator stays as it is.
            self.lstm = torch.nn.LSTM(hidden, hidden, layers, device="meta").to_empty(device="cpu")
            self.first = torch.nn.Parameter(torch.empty(hidden))
            shared = [*self.lstm.parameters(), self.first]
            generator = torch.Generator().manual_seed(seeds(""))
            with torch.no_grad():
                for parameter in shared:
                    parameter.uniform_(-INITIAL, INITIAL, generator=generator)
            self.weights = [[p.detach().numpy() for p in layer] for layer in self.lstm.all_weights]
        self.optimiser = torch.optim.Adam([{"params": shared}], lr=lr, fused=True)
        zeros = torch.zeros(layers, hidden).numpy()
        self.start = State(zeros, zeros, self.first.detach().numpy() if hidden else zeros[:1])

    def meet(self, name: str, domain: Domain) -> Met:
        """What is learned of a question."""
        if name not in self.known:
            self.known[name] = Met(Question(domain), self.seeds(name), self.hidden)
            self.optimiser.add_param_group({"params": [self.known[name].tensor]})
        return self.known[name]

    # -- one by one, in numpy: torch's overhead for each operation would be most of the time ----------

    def advance(self, state: State) -> State:
        """The state once its input is read."""
        import numpy as np

        if self.lstm is None:
            return state
        hs, cs, x = [], [], state.x
        for layer, (w_x, w_h, b_x, b_h) in enumerate(self.weights):
            i, f, g, o = (w_x @ x + w_h @ state.h[layer] + b_x + b_h).reshape(4, -1)
            c = _sigmoid(f) * state.c[layer] + _sigmoid(i) * np.tanh(g)
            x = _sigmoid(o) * np.tanh(c)
            hs.append(x)
            cs.append(c)
        return State(np.stack(hs), np.stack(cs), x)

    def probabilities(self, state: State, met: Met, temperature: float = 1.0) -> Array:
        """(n,) of the answers to a question; a high temperature leads back to the domain's distribution."""
        import numpy as np

        learned = met.b + met.w @ state.h[-1] if self.hidden else met.b
        logits = met.question.prior + met.question.features @ learned / temperature
        odds = np.exp(logits - logits.max())
        shares: Array = odds / odds.sum()
        return shares

    def feed(self, state: State, met: Met, number: int) -> State:
        """The state with that answer as its next input."""
        if not self.hidden:
            return state
        x: Array = met.question.features[number] @ met.u
        return State(state.h, state.c, x)

    # -- many at once, in torch -----------------------------------------------------------------------

    def encode(self, records: Sequence[Mapping[str, Scalar]], domains: Mapping[str, Domain]) -> Batch:
        """Answer vectors, none of them empty, in the order of asking."""
        import torch

        met = {name: self.meet(name, domains[name]) for record in records for name in record}
        ends = list(accumulate(one.question.size for one in met.values()))
        begins = dict(zip(met, [0, *ends], strict=False))
        widest = max(one.question.size for one in met.values())
        own = {
            name: [begins[name] + i if i < one.question.size else ends[-1] for i in range(widest)]
            for name, one in met.items()
        }
        numbers = [[met[name].question.number(value) for name, value in record.items()] for record in records]
        steps = range(max(map(len, records)))
        fed = [
            [begins[name] + number for name, number in zip(record, given, strict=True)]
            for record, given in zip(records, numbers, strict=True)
        ]
        # By time first, as the LSTM goes.
        order = [(t, i) for t in steps for i, record in enumerate(records) if t < len(record)]
        names = [list(record) for record in records]
        return Batch(
            list(met.values()),
            torch.tensor([[row[t] if t < len(row) else 0 for row in fed] for t in steps]),
            torch.tensor([[t < len(row) for row in fed] for t in steps]),
            torch.tensor([own[names[i][t]] for t, i in order]),
            torch.tensor([numbers[i][t] for t, i in order]),
            torch.tensor([i for _, i in order]),
        )

    def likelihoods(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B,) log-likelihoods of answer vectors, and (B,) summed entropies of their questions."""
        import torch

        features = [torch.from_numpy(met.question.features) for met in batch.met]
        table = torch.cat([f @ met.tensor for f, met in zip(features, batch.met, strict=True)])
        b, w, u = table[:, 0], table[:, 1 : 1 + self.hidden], table[:, 1 + self.hidden :]
        b = b + torch.cat([torch.from_numpy(met.question.prior) for met in batch.met])
        logits = b.expand(len(batch.owner), -1)
        if self.lstm is not None:
            first = self.first.expand(1, batch.fed.shape[1], -1)
            outputs, _ = self.lstm(torch.cat([first, u[batch.fed[:-1]]]))
            logits = logits + outputs[batch.asked] @ w.mT
        logs = torch.nn.functional.pad(logits, (0, 1), value=-1e9).gather(1, batch.rows).log_softmax(1)
        each = logs.gather(1, batch.chosen[:, None])[:, 0]
        entropies = -(logs.exp() * logs).sum(1)
        zeros = torch.zeros(batch.fed.shape[1])
        return zeros.index_add(0, batch.owner, each), zeros.index_add(0, batch.owner, entropies)

    def descend(self, loss: Callable[[], Tensor]) -> None:
        """One step of Adam."""
        self.optimiser.zero_grad()
        loss().backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()


class Sampler(Recorder):
    """Has a policy answer.

    Attributes:
        log_likelihood: of the answers as the space was told them, at the temperature.
    """

    def __init__(
        self, policy: Policy, generator: random.Random, domains: dict[str, Domain], temperature: float = 1.0
    ) -> None:
        super().__init__(domains)
        self.policy, self.generator, self.temperature = policy, generator, temperature
        self.state = policy.start
        self.log_likelihood = 0.0

    def answer(self, name: str, domain: Domain) -> Scalar:
        """See `Recorder`."""
        met = self.policy.meet(name, domain)
        odds = self._odds(met)
        number = int(odds.cumsum().searchsorted(self.generator.random() * float(odds.sum()), "right"))
        number = min(number, met.question.size - 1)
        self._read(met, number, odds)
        return met.question.value(number, self.generator)

    def answer_group(self, group: Group, domain: Domain) -> list[Scalar]:
        """See `Recorder`: what is remembered, and how likely it was, are the answers as they were mended."""
        before = self.state, self.log_likelihood
        values = super().answer_group(group, domain)
        self.state, self.log_likelihood = before
        for name, value in zip(group.names, values, strict=True):
            met = self.policy.meet(name, domain)
            self._read(met, met.question.number(value), self._odds(met))
        return values

    def _odds(self, met: Met) -> Array:
        self.state = self.policy.advance(self.state)
        return self.policy.probabilities(self.state, met, self.temperature)

    def _read(self, met: Met, number: int, odds: Array) -> None:
        self.log_likelihood += math.log(max(float(odds[number]), 1e-38))
        self.state = self.policy.feed(self.state, met, number)


@contextmanager
def one_thread() -> Iterator[None]:
    """So small tensors are slower on several threads; and so no sum depends on the number of cores."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _sigmoid(x: Array) -> Array:
    import numpy as np

    half: Array = 0.5 * np.tanh(0.5 * x) + 0.5
    return half
