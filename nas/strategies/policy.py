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
from typing import TYPE_CHECKING, Any

from nas.strategies.vocabulary import Question
from search_spaces.choose import Domain, Group, Recorder, Scalar

if TYPE_CHECKING:
    import numpy
    from torch import Tensor

    Array = numpy.ndarray[Any, Any]

INITIAL = 0.1
"""Weights are drawn uniformly from -0.1 to 0.1 (Zoph et al. 2018), what all answers have in common from
1e-3 N(0, 1) (NATS-Bench): at first answers follow the distributions of their domains."""


@dataclass(frozen=True)
class State:
    """What the policy remembers of earlier answers: (layers, H) outputs and cells, and the next input (H,)."""

    h: Array
    c: Array
    x: Array


class Parameters:
    """What belongs to one question: of its logits, features (b + W h), and of what is fed back, features U.

    Attributes:
        tensors: b (k,), and with an LSTM W (k, H) and U (k, H).
        arrays: the same memory.
    """

    def __init__(self, question: Question, seed: int, hidden: int) -> None:
        import torch

        generator = torch.Generator().manual_seed(seed)
        k = question.features.shape[1]
        self.question = question
        made = [1e-3 * torch.randn(k, generator=generator)]
        for _ in range(2 if hidden else 0):
            made.append(torch.empty(k, hidden).uniform_(-INITIAL, INITIAL, generator=generator))
        self.tensors = [torch.nn.Parameter(tensor) for tensor in made]
        self.arrays: list[Array] = [tensor.detach().numpy() for tensor in self.tensors]


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
        self.known: dict[str, Parameters] = {}
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

    def meet(self, name: str, domain: Domain) -> Parameters:
        """The parameters of a question."""
        if name not in self.known:
            made = self.known[name] = Parameters(Question(domain), self.seeds(name), self.hidden)
            self.optimiser.add_param_group({"params": made.tensors})
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

    def probabilities(self, state: State, one: Parameters, temperature: float = 1.0) -> Array:
        """(n,) of the answers to a question; a high temperature leads back to the domain's distribution."""
        import numpy as np

        b, question = one.arrays[0], one.question
        learned = question.features @ (b + one.arrays[1] @ state.h[-1] if self.hidden else b)
        logits = question.prior + learned / temperature
        odds: Array = np.exp(logits - logits.max())
        return odds / odds.sum()

    def feed(self, state: State, one: Parameters, number: int) -> State:
        """The state with that answer as its next input."""
        if not self.hidden:
            return state
        return State(state.h, state.c, one.question.features[number] @ one.arrays[2])

    # -- many at once, in torch -----------------------------------------------------------------------

    def likelihoods(
        self, records: Sequence[Mapping[str, Scalar]], domains: Mapping[str, Domain]
    ) -> tuple[Tensor, Tensor]:
        """(B,) log-likelihoods of B answer vectors, and (B,) summed entropies of their questions."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        names = list(dict.fromkeys(name for record in records for name in record))
        place = {name: q for q, name in enumerate(names)}
        known = [self.meet(name, domains[name]) for name in names]
        steps = max(map(len, records))
        # Where each question stands in each record; the last place is that of questions not asked.
        when = torch.full((len(names), len(records)), steps)
        answer = torch.zeros(len(names), len(records), dtype=torch.long)
        fed = torch.zeros(steps, len(records), 2, dtype=torch.long)
        for i, record in enumerate(records):
            for t, (name, value) in enumerate(record.items()):
                q = place[name]
                when[q, i], answer[q, i] = t, known[q].question.number(value)
                fed[t, i, 0], fed[t, i, 1] = q, answer[q, i]
        asked = when < steps

        features = [torch.from_numpy(one.question.features) for one in known]
        n, k = max(f.shape[0] for f in features), max(f.shape[1] for f in features)
        padded = torch.zeros(len(names), n, k)
        prior = torch.full((len(names), n), -1e9)
        for q, one in enumerate(known):
            padded[q, : one.question.size, : features[q].shape[1]] = features[q]
            prior[q, : one.question.size] = torch.from_numpy(one.question.prior)

        def stack(part: int) -> Tensor:
            return pad_sequence([one.tensors[part] for one in known], batch_first=True)

        weights = stack(0)[:, None]
        if self.lstm is not None:
            embeddings = padded @ stack(2)
            inputs = embeddings[fed[..., 0], fed[..., 1]]
            begin = self.first.expand(1, len(records), -1)
            outputs, _ = self.lstm(torch.cat([begin, inputs[:-1]]))
            outputs = torch.cat([outputs, torch.zeros(1, len(records), self.hidden)])
            weights = weights + outputs[when, torch.arange(len(records))] @ stack(1).mT
        logs = (weights @ padded.mT + prior[:, None]).log_softmax(-1).expand(-1, len(records), -1)
        each = logs.gather(-1, answer[..., None])[..., 0]
        entropies = -(logs.exp() * logs).sum(-1)
        return (each * asked).sum(0), (entropies * asked).sum(0)

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
        one = self.policy.meet(name, domain)
        odds = self._odds(one)
        number = int(odds.cumsum().searchsorted(self.generator.random() * float(odds.sum()), "right"))
        number = min(number, one.question.size - 1)
        self._read(one, number, odds)
        return one.question.value(number, self.generator)

    def answer_group(self, group: Group, domain: Domain) -> list[Scalar]:
        """See `Recorder`: what is remembered, and how likely it was, are the answers as they were mended."""
        before = self.state, self.log_likelihood
        values = super().answer_group(group, domain)
        self.state, self.log_likelihood = before
        for name, value in zip(group.names, values, strict=True):
            one = self.policy.meet(name, domain)
            self._read(one, one.question.number(value), self._odds(one))
        return values

    def _odds(self, one: Parameters) -> Array:
        self.state = self.policy.advance(self.state)
        return self.policy.probabilities(self.state, one, self.temperature)

    def _read(self, one: Parameters, number: int, odds: Array) -> None:
        self.log_likelihood += math.log(max(float(odds[number]), 1e-38))
        self.state = self.policy.feed(self.state, one, number)


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
