"""What is maximised, and what the noise of training hides."""

import itertools
import json
import random
from typing import Any

import pytest

from nas.gp import Encoding, estimates
from nas.objectives import ACCURACY, Column, MnasNet, ObjectiveError, read_objectives, values
from nas.options import Options, UsageError
from nas.results import ranking
from nas.strategies import Problem, StrategyError, make
from search_spaces import SPACES
from search_spaces.domain import Integer, Pick


def test_objectives_have_directions() -> None:
    assert read_objectives("accuracy") == (ACCURACY,)
    assert read_objectives("accuracy, latency,depth:max") == (
        ACCURACY,
        Column("latency_ms", False),
        Column("depth", True),
    )
    row = {"reward": 0.5, "val_accuracy": 0.5, "latency_ms": 3.0, "depth": 7}
    assert values(read_objectives("accuracy,latency,depth:max"), row) == (0.5, -3.0, 7.0)
    assert values(read_objectives("accuracy,latency"), row | {"latency_ms": None}) is None
    assert values((ACCURACY,), {"reward": None}) is None
    assert values((ACCURACY,), None) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("acuracy", "did you mean accuracy"),
        ("accuracy,accuracy", "twice"),
        ("macs:up", "neither :max nor :min"),
        ("", "no objective"),
    ],
)
def test_wrong_objectives_are_named(text: str, message: str) -> None:
    with pytest.raises(ObjectiveError, match=message):
        read_objectives(text)


def test_mnasnets_reward() -> None:
    """Equation 2 of the paper by hand; twice the latency costs about 5% of the accuracy (section 3)."""
    soft = MnasNet(5.0)
    row = {"val_accuracy": 0.8, "latency_ms": 10.0}
    assert soft.of(row) == pytest.approx(0.8 * 2**-0.07)
    assert soft.of(row) == pytest.approx(0.8 * 0.95, rel=0.01)
    hard = MnasNet(5.0, 0.0, -1.0)
    assert hard.of(row) == pytest.approx(0.4)
    assert hard.of(row | {"latency_ms": 2.0}) == pytest.approx(0.8)
    assert soft.of({"val_accuracy": 0.8, "latency_ms": None}) is None


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"reward": "mnasnet"}, "--target-latency"),
        ({"target_latency": 5.0}, "--reward"),
        ({"reward": "mnasnet", "target_latency": 5.0, "objective": "macs"}, "--objective"),
        ({"reward": "mnas", "target_latency": 5.0}, "mnasnet-hard"),
    ],
)
def test_rewards_need_what_they_need(wish: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Options(**wish).goals()


def test_a_strategy_of_one_number_refuses_several() -> None:
    several = Problem(SPACES["regnet"], goals=read_objectives("accuracy,macs"))
    make("random", several)
    with pytest.raises(StrategyError, match="maximises one number"):
        make("bayes", several)


WORTH = {"a": 0.0, "b": 1.0, "c": 2.0, "d": 3.5}


def trials(seed: int) -> tuple[list[dict[str, str]], list[float], list[float]]:
    """Answers to six questions, what they are worth, and what a noisy training says of that."""
    rng = random.Random(seed)
    records = [{f"q{i}": rng.choice("abcd") for i in range(6)} for _ in range(120)]
    truth = [sum(WORTH[answer] for answer in record.values()) for record in records]
    return records, truth, [t + rng.gauss(0, 2) for t in truth]


def test_estimates_do_not_depend_on_the_order_of_trials() -> None:
    records, _, noisy = trials(1)
    order = list(range(len(records)))
    random.Random(0).shuffle(order)
    shuffled = estimates([records[i] for i in order], [noisy[i] for i in order])
    expected = estimates(records, noisy)
    assert shuffled == pytest.approx([expected[i] for i in order], abs=1e-6)


def test_estimates_take_out_noise_and_leave_the_rest() -> None:
    records, truth, noisy = trials(0)

    def disorder(guess: list[float]) -> int:
        pairs = itertools.combinations(range(len(truth)), 2)
        return sum((guess[i] - guess[j]) * (truth[i] - truth[j]) < 0 for i, j in pairs)

    assert disorder(estimates(records, noisy)) < 0.8 * disorder(noisy)
    assert disorder(estimates(records, truth)) < 0.03 * len(truth) * (len(truth) - 1) / 2


def test_distances_between_answer_vectors() -> None:
    domains = {
        "a": Pick(("x", "y")),
        "b": Pick(("x", "y")),
        "w": Integer(1, 100, log=True),
        "one": Pick((3,)),
    }
    encoding = Encoding(domains)
    first, swapped = {"a": "x", "b": "y", "w": 1, "one": 3}, {"a": "y", "b": "x", "w": 10}
    x, y = encoding.encode([first]), encoding.encode([swapped, {"a": "x", "b": "y"}])
    apart, bags = encoding.distances(x, y)
    assert apart[0].tolist() == pytest.approx([(1 + 1 + 0.5) / 3, 1 / 3])  # not asked is a whole step away
    assert bags[0].tolist() == [0, 0]  # the same answers, elsewhere


def test_the_winner_may_be_ranked_by_estimate() -> None:
    """The highest of many noisy scores is a lucky one; the highest estimate is worth more in the mean."""
    worth: dict[str, list[float]] = {"reward": [], "estimate": []}
    for seed in range(10):
        records, truth, noisy = trials(seed)
        rows = [
            {"stage": "search", "status": "ok", "trial": i, "choices": json.dumps(record), "reward": reward}
            for i, (record, reward) in enumerate(zip(records, noisy, strict=True))
        ]
        for winner, found in worth.items():
            found.append(truth[ranking(rows, winner)[0]["trial"]])
    assert sum(worth["estimate"]) > sum(worth["reward"]) + 5
