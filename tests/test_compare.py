"""Comparison of two runs: what may be compared, and that its interval and p-value keep their promises."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest
from numpy.typing import NDArray

from harness import compare, evaluate
from harness.cli.main import run as command
from harness.errors import IncompleteError, UserError
from harness.runs.folder import Run, find_runs
from harness.scoring.compare import Difference, Distances, adjusted, distances, pairs
from harness.scoring.compare import difference as paired
from harness.scoring.seeds import over_seeds
from harness.scoring.sides import tv_moments
from harness.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def difference(
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    target: NDArray[np.float64],
    sizes: NDArray[np.float64] | None = None,
) -> Difference:
    return paired(*(distances(counts, target, sizes) for counts in (a, b)))


class Known(Protocol):
    def __call__(
        self, out: Path, shift: float, seed: int = 0, options: dict[str, Any] | None = None
    ) -> Run: ...


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """Copies under ``out`` a run of a model at a distance from the target; each is made once."""
    made = tmp_path_factory.mktemp("made")
    first: dict[str, Path] = {}

    def run(out: Path, shift: float, seed: int = 0, options: dict[str, Any] | None = None) -> Run:
        key = repr((shift, seed, options))
        if key not in first:
            settings = Settings(n=200, seed=seed, out=made / str(len(first)), **(options or {}))
            first[key] = evaluate(f"known:target,shift={shift}", "gender_us", "labor", settings).folder
        folder = out / first[key].relative_to(first[key].parents[2])
        shutil.copytree(first[key], folder)
        return Run.open(folder)

    return run


def test_a_known_difference_is_found_and_none_where_there_is_none(known: Known, tmp_path: Path) -> None:
    near, far = known(tmp_path / "near", 0.05), known(tmp_path / "far", 0.2)
    (result,) = compare(near, far).results
    assert result.difference.low <= -0.15 <= result.difference.high < 0
    assert "is closer to the target" in result.verdict()
    (same,) = compare(near, known(tmp_path / "again", 0.05, seed=9)).results
    assert same.difference.low <= 0 <= same.difference.high
    assert "cannot be told apart" in same.verdict()


def unanswering(out: Path, shift: float, unparsed: float, seed: int = 0) -> Run:
    model = f"known:target,shift={shift},unparsed={unparsed}"
    return evaluate(model, "gender_us", "labor", Settings(n=200, seed=seed, out=out))


def test_of_models_that_seldom_answer_only_the_answers_are_judged(tmp_path: Path) -> None:
    often, seldom = unanswering(tmp_path / "a", 0.1, 0.75), unanswering(tmp_path / "b", 0.1, 0.91)
    (result,) = compare(often, seldom).results
    assert result.difference.high < 0, "the draws of all differ by how often an answer came"
    told = result.verdict()
    assert "cannot be told apart" in told
    assert "is closer" not in told
    for share in result.valid:
        assert f"{share:.1%}" in told
    better = unanswering(tmp_path / "c", 0.0, 0.75)
    (judged,) = compare(unanswering(tmp_path / "d", 0.3, 0.6), better).results
    assert judged.among_valid.estimate == pytest.approx(0.3, abs=0.06)  # four standard errors
    assert "shift=0.0,unparsed=0.75@labor_us_2025 is closer to the target" in judged.verdict()


def test_nothing_is_judged_where_no_draw_names_a_class(known: Known, tmp_path: Path) -> None:
    silent = unanswering(tmp_path / "a", 0.0, 1.0)
    (result,) = compare(silent, known(tmp_path / "b", 0.0)).results
    assert "cannot be compared" in result.verdict()
    assert result.adjusted_p == 1.0


def test_swapping_the_runs_turns_the_sign(known: Known, tmp_path: Path) -> None:
    one, two = known(tmp_path / "a", 0.0), known(tmp_path / "b", 0.1)
    (there,), (back,) = compare(one, two).results, compare(two, one).results
    assert there.difference.estimate == pytest.approx(-back.difference.estimate, abs=1e-12)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"sampling": {"top_p": 0.9}}, "--top-p\n *found: +1.0 against 0.9"),
        ({"split": "test"}, "--split\n *found: +all against test"),
        ({"paraphrases": "all"}, "--paraphrases\n *found: +test against all"),
        ({"measure": "exact"}, "--measure, --epsilon\n *found: +draws against exact; None against 0.001"),
    ],
)
def test_runs_that_ask_different_things_are_not_compared(
    known: Known, tmp_path: Path, options: dict[str, Any], name: str
) -> None:
    one, two = known(tmp_path / "a", 0.0), known(tmp_path / "b", 0.1, options=options)
    with pytest.raises(IncompleteError, match=f"differ in {name}"):
        compare(one, two)
    assert command(["compare", str(one.folder), str(two.folder)]) == 3


def test_hashes_are_named_where_nothing_else_differs(known: Known, tmp_path: Path) -> None:
    one = known(tmp_path / "a", 0.0)
    file = one.folder / "manifest.json"
    text = file.read_text(encoding="utf-8")
    hashed = json.loads(text)["identity"]["prompts_hash"]
    file.write_text(text.replace(hashed, "0" * len(hashed)), encoding="utf-8")
    with pytest.raises(IncompleteError, match=f"the prompts as sent.*\n *found: +000.* against {hashed}"):
        compare(one.folder, known(tmp_path / "b", 0.1))


@pytest.mark.parametrize("file", ["distalign.json", "config.json", "adapter_config.json"])
def test_models_are_not_compared_but_their_runs(tmp_path: Path, file: str) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="its runs are compared") as err:
        compare(tmp_path / "a", tmp_path / "b")
    assert err.value.hint == f"distalign evaluate {tmp_path / 'a'} --task TASK"
    (tmp_path / "b" / file).unlink()
    with pytest.raises(UserError, match="no run under this folder"):
        compare(tmp_path / "b", tmp_path / "a")


def test_folders_are_compared_task_by_task_with_adjusted_p(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, shift in (("a", 0.0), ("b", 0.1)):
        for task in ("gender_us", "race_us"):
            evaluate(f"known:target,shift={shift}", task, "labor", Settings(out=tmp_path / name))
    capsys.readouterr()
    assert command(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert [r["task"] for r in results] == ["gender_us", "race_us"]
    raw = [r["difference"]["p"] for r in results]
    least, greatest = sorted(raw)
    expected = {least: 2 * least, greatest: max(2 * least, greatest)}
    assert [r["adjusted_p"] for r in results] == pytest.approx([expected[p] for p in raw])


def test_nothing_in_common_is_said(tmp_path: Path) -> None:
    one = evaluate("known:uniform", "gender_us", "labor", Settings(n=5, out=tmp_path / "a"))
    two = evaluate("known:uniform", "gender_us", "uniform", Settings(n=5, out=tmp_path / "b"))
    with pytest.raises(UserError, match="no target in common"):
        compare(one, two)


def test_adjusted_p_are_holm_s() -> None:
    """Holm's own rule, stepwise: the k-th smallest of m is held against 0.05 / (m - k + 1), and the first failure ends it."""
    assert adjusted([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjusted([]) == []
    rng = np.random.default_rng(2)
    for _ in range(50):
        p = rng.uniform(0, 0.2, size=int(rng.integers(1, 9)))
        called = set()
        for k, i in enumerate(np.argsort(p)):
            if p[i] > 0.05 / (len(p) - k):
                break
            called.add(int(i))
        assert {i for i, value in enumerate(adjusted(p)) if value <= 0.05} == called


@pytest.mark.parametrize("sizes", [None, np.array([300.0, 80.0, np.inf, 40.0])])
def test_all_pairs_at_once_are_what_each_pair_is_alone(sizes: NDArray[np.float64] | None) -> None:
    rng = np.random.default_rng(6)
    target = rng.dirichlet(np.ones(3), 4)
    models = [distances(rng.multinomial(n, target), target, sizes) for n in (20, 50, 300)]
    empty = rng.multinomial(60, target)
    empty[2] = 0
    models.append(distances(empty, target, sizes))
    found = pairs([models])
    for i, a in enumerate(models):
        for j, b in enumerate(models):
            alone = paired(a, b)
            expected = (alone.estimate, alone.low, alone.high, alone.p)
            assert [part[i, j] for part in found] == pytest.approx(expected, abs=1e-9)


def test_a_mean_over_tasks_errs_less_than_one_task() -> None:
    """Two tasks that err alike and independently: the mean difference is the same, its interval narrower by about √2."""
    rng = np.random.default_rng(9)
    target = rng.dirichlet(np.full(3, 2.0), 30)
    models = [distances(rng.multinomial(80, target), target) for _ in range(2)]
    one, two = pairs([models]), pairs([models, models])
    assert two.value == pytest.approx(one.value)
    ratio = (one.high - one.low)[0, 1] / (two.high - two.low)[0, 1]
    assert ratio == pytest.approx(np.sqrt(2), rel=0.03)


Sampled = tuple[list[NDArray[np.float64]], float]
"""Shares of two models, contexts x classes, and the difference of mean TV that is to be held."""


def alike(target: NDArray[np.float64], rng: np.random.Generator) -> Sampled:
    return [target, target], 0.0


def near_and_far(target: NDArray[np.float64], rng: np.random.Generator) -> Sampled:
    """The far one gives a third of the most frequent answer's share to the least frequent one."""
    rows, most, least = np.arange(len(target)), target.argmax(axis=1), target.argmin(axis=1)
    far = target.copy()
    moved = target[rows, most] / 3
    far[rows, most] -= moved
    far[rows, least] += moved
    return [target, far], float(-moved.mean())


def differing_by_chance(target: NDArray[np.float64], rng: np.random.Generator) -> Sampled:
    """Contexts in which one model or the other is better, at random: over contexts like these there is no difference."""
    return [0.8 * target + 0.2 * rng.dirichlet(np.ones(target.shape[1]), len(target)) for _ in range(2)], 0.0


@pytest.mark.parametrize(
    ("models", "contexts", "n"),
    [
        (alike, 14, (50, 50)),
        (alike, 25, (25, 200)),
        (alike, 1, (60, 60)),
        (near_and_far, 25, (40, 40)),
        (differing_by_chance, 14, (50, 50)),
        (differing_by_chance, 4, (4000, 4000)),
        (differing_by_chance, 2, (4000, 4000)),
    ],
)
def test_intervals_hold_the_difference_and_equal_models_are_seldom_told_apart(
    models: Callable[[NDArray[np.float64], np.random.Generator], Sampled],
    contexts: int,
    n: tuple[int, int],
) -> None:
    """60 pairs: at exactly 5% more than 8 misses happen once in two hundred times."""
    rng = np.random.default_rng(4)
    missed = called = 0
    for _ in range(60):
        target = rng.dirichlet(np.full(4, 2.0), size=contexts)
        shares, truth = models(target, rng)
        a, b = (rng.multinomial(k, s) for k, s in zip(n, shares, strict=True))
        found = difference(a, b, target)
        missed += not found.low <= truth <= found.high
        called += found.p < 0.05
        assert (found.p < 0.05) == (not found.low <= 0 <= found.high) or 0.02 < found.p < 0.1
    assert missed <= 8
    assert called <= 8 if truth == 0 else called > 50


def test_the_interval_is_no_wider_than_what_the_estimate_varies_by() -> None:
    rng = np.random.default_rng(8)
    target = rng.dirichlet(np.full(4, 2.0), size=20)
    found = [difference(rng.multinomial(60, target), rng.multinomial(60, target), target) for _ in range(60)]
    width = np.mean([f.high - f.low for f in found])
    assert width < 1.3 * 2 * 1.96 * np.std([f.estimate for f in found])


@pytest.mark.parametrize(
    ("model", "target"),
    [
        ([0.5, 0.5], [0.5, 0.5]),
        ([0.97, 0.03], [0.97, 0.03]),
        ([0.9, 0.1, 0.0], [0.7, 0.3, 0.0]),
        ([0.94, 0.04, 0.02], [0.95, 0.05, 0.0]),
        ([0.4, 0.3, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25]),
        ([0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25]),
    ],
)
def test_a_context_s_variance_is_that_of_many_runs(model: list[float], target: list[float]) -> None:
    n, runs = 100, 3000
    counts = np.random.default_rng(5).multinomial(n, model, size=runs)
    wanted = np.broadcast_to(np.array(target), counts.shape)
    values, variances = tv_moments(counts, wanted, np.broadcast_to(np.array(model), counts.shape))
    assert np.sqrt(variances[0]) == pytest.approx(values.std(), rel=0.08)


def test_equal_counts_are_no_difference() -> None:
    target = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6], [1.0, 0.0, 0.0]])
    counts = np.array([[20, 5, 3], [1, 0, 0], [4, 0, 0]])
    found = difference(counts, counts, target)
    assert found.estimate == 0
    assert found.low < 0 < found.high
    assert found.p > 0.9
    sure = np.array([[50, 0], [50, 0]])
    none = difference(sure, sure, np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert (none.estimate, none.low, none.high, none.p) == (0, 0, 0, 1)


def test_models_on_two_sides_of_people_are_not_called_different_by_who_was_asked() -> None:
    """100 pairs: at exactly 5% more than 11 false calls happen less than once in a hundred times."""
    rng = np.random.default_rng(15)
    people, move = np.array([[0.5, 0.3, 0.2]]), np.array([0.2, -0.1, -0.1])
    called = np.zeros(2)
    for _ in range(100):
        asked = rng.multinomial(300, people) / 300
        a, b = (rng.multinomial(1000, people + side * move) for side in (1, -1))
        called += [difference(a, b, asked, sizes=s).p < 0.05 for s in (np.array([300.0]), None)]
    assert called[0] <= 11
    assert called[1] > 30


def test_contexts_without_draws_are_left_out() -> None:
    target = np.full((3, 2), 0.5)
    a = np.array([[5, 5], [0, 0], [9, 1]])
    found = difference(a, a[:, ::-1], target)
    assert found.contexts == 2
    assert np.isnan(found.by_context[1][0])
    assert difference(a * 0, a, target).contexts == 0


def test_no_difference_is_shown_that_no_two_distances_have() -> None:
    target = np.array([[0.7, 0.3, 0.0], [0.5, 0.25, 0.25]])
    near, far = np.array([[2, 1, 0], [2, 1, 0]]), np.array([[0, 0, 3], [1, 0, 2]])
    raw = distances(far, target).value - distances(near, target).value
    assert raw[0] > 1
    found, back = difference(far, near, target), difference(near, far, target)
    assert found.by_context[0][0] == found.by_context[0][2] == found.high == 1
    assert found.by_context[0][1] < 1
    assert found.estimate == pytest.approx(raw.mean()), "the mean is taken before the cut"
    assert (back.low, back.estimate, back.high) == (-found.high, -found.estimate, -found.low)
    one, two = (distances(counts[:1], target[:1]) for counts in (far, near))
    for shown in (paired(one, two), over_seeds([one, one], [two, two])):
        assert (shown.estimate, shown.high) == (1, 1)
        assert 0 < shown.low <= 1
        assert shown.p < 0.05


def trained(known: Known, tmp_path: Path, name: str, shifts: Sequence[float]) -> Path:
    for shift in shifts:
        known(tmp_path / name, shift)
    return tmp_path / name


def test_checkpoints_trained_alike_are_compared_for_trainings_like_these(
    known: Known, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    near = trained(known, tmp_path, "near", (0.04, 0.05, 0.12))
    far = trained(known, tmp_path, "far", (0.3, 0.32))
    (found,) = compare(near, far).repeated
    assert found.verdict().startswith("near is closer to the target than far")
    assert found.difference.low <= 0.07 - 0.31 <= found.difference.high
    assert found.difference.between[0] == pytest.approx(np.std([0.04, 0.05, 0.12], ddof=1), abs=0.02)
    assert command(["compare", str(near), str(sorted(far.iterdir())[0]), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["repeated"]
    assert told["names"][0] == "near"
    assert [len(each) for each in told["difference"]["each"]] == [3, 1]


def test_a_group_is_of_different_checkpoints_that_were_trained_alike(known: Known, tmp_path: Path) -> None:
    near = trained(known, tmp_path, "near", (0.05,))
    known(near, 0.05, seed=3)
    far = known(tmp_path / "far", 0.3)
    with pytest.raises(UserError, match="two runs of one checkpoint"):
        compare(near, far)
    other = known(near, 0.1)
    (twice,) = (path for path in find_runs([near]) if path.identity.seed == 3)
    shutil.rmtree(twice.folder)
    manifest = other.folder / "manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    told["identity"]["contract"]["method"] = "dpo"
    manifest.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(UserError, match="made in different ways"):
        compare(near, far)


@pytest.mark.parametrize(("runs", "between"), [((3, 3), 0.05), ((2, 5), 0.02), ((3, 1), 0.05), ((3, 3), 0.0)])
def test_intervals_over_trainings_hold_the_difference(runs: tuple[int, int], between: float) -> None:
    """Trainings, contexts, trainings in each context, and draws, all normal."""
    rng = np.random.default_rng(6)
    contexts, draws, held = 8, 0.03, []
    for _ in range(1000):
        apart = rng.normal(0.1, 0.04, contexts)
        sides = []
        for count, shift in zip(runs, (np.zeros(contexts), apart), strict=True):
            trainings = rng.normal(0, between, (count, 1)) + rng.normal(0, between / 2, (count, contexts))
            values = 0.3 + shift + trainings + rng.normal(0, draws, (count, contexts))
            sides.append([Distances(v, np.full(contexts, draws**2), None) for v in values])
        found = over_seeds(*sides)
        held.append(found.low <= -0.1 <= found.high)
    assert np.mean(held) >= 0.93
