"""The metrics of replies against people's, where the laws are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from harness.metrics.base import About, Features, FloatArray
from harness.metrics.natural import (
    clipped_coverage,
    clipped_density,
    median_w1,
    support_gap,
    within_length_w1,
)
from harness.natural.scaled import scale, wasserstein
from harness.scoring.people import ReplySample, _alike, _widened, of_people

ABOUT = About("replies", "length", ("short", "long"), "en", "draws")
DIMENSIONS = 6


def features(values: FloatArray, lengths: FloatArray | None = None) -> Features:
    bins = np.zeros(len(values), dtype=np.int64) if lengths is None else lengths.astype(np.int64)
    return Features(values, bins, np.ones(values.shape[1], dtype=bool))


def normal(rng: np.random.Generator, n: int, shift: float = 0.0) -> Features:
    return features(rng.normal(shift, 1, (n, DIMENSIONS)))


def test_w1_is_that_of_scipy_for_samples_of_any_sizes() -> None:
    rng = np.random.default_rng(1)
    for a, b in ((30, 30), (30, 45), (7, 100)):
        one, two = rng.normal(size=(a, 3)), rng.exponential(size=(b, 3))
        expected = [wasserstein_distance(one[:, i], two[:, i]) for i in range(3)]
        assert wasserstein(one, two) == pytest.approx(expected)


def test_the_distance_of_two_samples_of_one_law_is_not_0() -> None:
    rng = np.random.default_rng(2)
    for n, known in ((20, 0.37), (100, 0.18)):
        found = wasserstein(rng.normal(size=(n, 2000)), rng.normal(size=(n, 2000))).mean()
        assert found == pytest.approx(known, abs=0.01)


def test_a_scale_is_not_moved_by_a_tail_and_is_none_where_nothing_varies() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2000, 3))
    x[:5, 0] = 1e6
    x[:, 1] = 7
    x[:, 2] = rng.random(2000) < 0.1  # more than half are one value
    found = scale(x)
    assert found[0] == pytest.approx(1, rel=0.1)
    assert np.isnan(found[1])
    assert found[2] == pytest.approx(0.3, rel=0.1)


def test_one_central_reply_has_no_distance_from_the_band_and_a_gap_all_the_same() -> None:
    people = normal(np.random.default_rng(4), 400)
    central = features(np.zeros((400, DIMENSIONS)))
    assert support_gap(people, people) == 0
    assert support_gap(central, people) > 0.05
    assert clipped_coverage(central, people) < 0.05
    assert median_w1(central, people) > 0.7


def test_density_and_coverage_of_good_and_bad_replies() -> None:
    rng = np.random.default_rng(5)
    people = normal(rng, 400)
    for good in (0, 200, 400):
        values = rng.normal(size=(400, DIMENSIONS))
        values[good:] += 50
        model = features(values)
        # what makes them scores: they are the share of good replies
        assert clipped_coverage(model, people) == pytest.approx(good / 400, abs=0.06)
        assert clipped_density(model, people) == pytest.approx(good / 400, abs=0.06)


def test_an_outlier_among_people_gives_bad_replies_no_density() -> None:
    rng = np.random.default_rng(6)
    people = features(np.concatenate([rng.normal(size=(200, 2)), [[4.9, 4.9]]]))
    bad = features(np.full((200, 2), 4.0))
    assert clipped_density(bad, people) == 0


def test_scoring_within_the_gold_replys_length_fails_a_perfect_model() -> None:
    rng = np.random.default_rng(7)

    def law(n: int) -> tuple[FloatArray, FloatArray]:
        long = (rng.random(n) < 0.5).astype(float)
        return rng.normal(size=(n, DIMENSIONS)) + 4 * long[:, None], long

    (gold, gold_long), (perfect, own_long) = law(1000), law(1000)
    people = features(gold, gold_long)
    # the reply to the same prompt, taken to be of the gold reply's length
    by_gold = median_w1(features(perfect[gold_long == 1]), features(gold[gold_long == 1]))
    assert by_gold > 1
    assert median_w1(features(perfect), people) < 0.2
    assert within_length_w1(features(perfect, own_long), people) < 0.2


def samples(rng: np.random.Generator, n: int, own: float, shift: float = 0.0, size: int = 4) -> ReplySample:
    """Groups of ``size`` replies that share a part of their features."""
    groups = np.repeat(np.arange(n // size), size)
    values = rng.normal(size=(n, DIMENSIONS)) * np.sqrt(1 - own)
    values += np.sqrt(own) * rng.normal(size=(n // size, DIMENSIONS))[groups] + shift
    return ReplySample(features(values), groups, groups)


def test_other_people_lie_inside_the_floor_and_others_do_not() -> None:
    inside: dict[str, list[bool]] = {}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        people = samples(rng, 400, 0.3)
        found, contexts = of_people({"a": samples(rng, 480, 0.5)}, {"a": people}, ABOUT, seed)
        assert contexts["a"]["natural_w1"] == found["natural_w1"]
        for key in ("natural_w1", "support_gap", "clipped_density", "clipped_coverage"):
            one = found[key]
            assert one.low <= one.value <= one.high
            better = (
                one.value <= one.floor if key in ("natural_w1", "support_gap") else one.value >= one.floor
            )
            inside.setdefault(key, []).append(better)
    assert all(sum(held) >= 2 for held in inside.values()), inside
    rng = np.random.default_rng(99)
    found, _ = of_people({"a": samples(rng, 480, 0.5, 0.5)}, {"a": samples(rng, 400, 0.3)}, ABOUT)
    assert found["natural_w1"].low > found["natural_w1"].floor
    assert found["clipped_density"].value < found["clipped_density"].floor


@pytest.mark.parametrize(("of_two_sides", "without"), [(False, 0.83), (True, 0.95)])
def test_the_floor_allows_for_what_halves_of_one_sample_hide(of_two_sides: bool, without: float) -> None:
    """A mean of one side varies three times as much over samples as over halves of one; a difference of two as much."""
    rng = np.random.default_rng(12)
    inside: dict[str, list[bool]] = {"as they are": [], "widened": []}
    for _ in range(400):
        own, others = rng.normal(size=80), rng.normal(size=40)
        # both halves of each half: 100 splits, their mean is that of the half
        o, p, t, u = rng.permuted(np.tile(own, (100, 1)), axis=1).reshape(100, 4, 20).mean(axis=2).T
        plain, apart = (t + u - of_two_sides * (o + p)) / 2, t - u - of_two_sides * (o - p)
        value = others.mean() - of_two_sides * rng.permutation(own)[:40].mean()
        for name, found in (("as they are", plain), ("widened", _widened(plain, apart))):
            inside[name].append(value <= np.quantile(found, 0.95, method="weibull"))
    assert np.mean(inside["as they are"]) == pytest.approx(without, abs=0.03)
    assert np.mean(inside["widened"]) == pytest.approx(0.955, abs=0.025)


def test_a_context_of_few_people_or_prompts_is_left_out() -> None:
    rng = np.random.default_rng(8)
    many, few = samples(rng, 400, 0.0), samples(rng, 60, 0.0)
    assert of_people({"a": few}, {"a": many}, ABOUT) == ({}, {})
    assert of_people({"a": many}, {"b": many}, ABOUT) == ({}, {})


def test_other_people_are_taken_by_conversations_as_large_as_those_of_the_prompts() -> None:
    rng = np.random.default_rng(10)
    talks = np.repeat(np.arange(90), np.tile([1, 2, 4], 30))
    rows = rng.permutation(len(talks))
    like = np.repeat(np.arange(27), np.tile([4, 1, 3], 9))
    picked = _alike(rows, talks, like, rng)
    assert len(set(picked.tolist())) == len(like)
    sizes = np.sort(np.unique(talks[picked], return_counts=True)[1])
    assert sizes.tolist() == sorted(np.unique(like, return_counts=True)[1].tolist())
    every = _alike(
        rows, talks, np.arange(len(talks)), rng
    )  # more prompts than conversations: any that are left
    assert sorted(every.tolist()) == list(range(len(talks)))


def test_prompts_of_few_conversations_have_a_wider_floor() -> None:
    rng = np.random.default_rng(11)
    people, few = samples(rng, 400, 0.8), samples(rng, 80, 0.8)
    each_alone = ReplySample(few.features, np.arange(80), np.arange(80))
    in_talks = ReplySample(few.features, few.talks, np.arange(80))
    floors = [
        of_people({"a": model}, {"a": people}, ABOUT)[0]["natural_w1"].floor
        for model in (each_alone, in_talks)
    ]
    assert floors[1] > 1.2 * floors[0]
