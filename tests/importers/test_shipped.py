"""The shipped targets and contexts against figures typed from what the publishers and the papers state."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from harness.importers.occupations import split, workers
from harness.tasks.target import load_target

ROOT = Path(__file__).parents[2]
TARGETS = sorted(p.parent.name for p in (ROOT / "targets").glob("*/target.yaml"))

US_FULL_TIME = {
    "construction_and_extraction_occupations": 0.9631732392,
    "installation_maintenance_and_repair_occupations": 0.9631067961,
    "architecture_and_engineering_occupations": 0.8360995851,
    "software_developers": 0.7994296578,
    "managers_all_other": 0.5844524793,
    "sales_and_related_occupations": 0.5573895934,
    "management_business_and_financial_operations_occupations": 0.5179457251,
    "management_professional_and_related_occupations": 0.4827291046,
    "sales_and_office_occupations": 0.4096552361,
    "office_and_administrative_support_occupations": 0.3016773163,
    "education_training_and_library_occupations": 0.2750830565,
    "elementary_and_middle_school_teachers": 0.2159127366,
    "healthcare_support_occupations": 0.1666666667,
    "registered_nurses": 0.1434149805,
}
UK_PROTOCOL = [
    0.9920204566, 0.9806219854, 0.8974669357, 0.8854193861, 0.8747922779, 0.7563603983, 0.7115165707,
    0.6795917903, 0.6654020758, 0.6576993686, 0.6206835165, 0.6131371754, 0.5948854413, 0.5101762613,
    0.4899920588, 0.4832930346, 0.4018451611, 0.2818090408, 0.1870220117, 0.1828376213, 0.1656809011,
    0.1571965163, 0.1168920338, 0.0963585036, 0.0640317770,
]  # fmt: skip


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def shares(name: str, attribute: str = "gender") -> dict[str, dict[str, float]]:
    return {context: dict(row) for context, row in load_target(name).tables[attribute].rows.items()}


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_is_proper(name: str) -> None:
    target = load_target(name)
    assert target.name == name
    if target.kind != "uniform":
        assert target.provenance is not None
    for table in target.tables.values():
        for context, row in table.rows.items():
            assert sum(row.values()) == pytest.approx(1, abs=1e-9), context
            assert min(row.values()) > 0, context


@pytest.mark.parametrize(
    ("context", "women"),
    [
        ("total_16_years_and_over", 47.1),
        ("registered_nurses", 87.3),
        ("software_developers", 20.3),
        ("electricians", 3.5),
    ],
)
def test_us_2025_says_what_bls_says(context: str, women: float) -> None:
    assert shares("labor_us_2025")[context]["female"] == pytest.approx(women / 100, abs=1e-12)


def test_us_totals_by_race() -> None:
    total = {year: shares(f"labor_us_{year}", "race")["total_16_years_and_over"] for year in (2022, 2025)}
    assert total[2025] == pytest.approx({"white": 0.757, "black": 0.127, "asian": 0.075, "other": 0.041})
    assert total[2022] == pytest.approx({"white": 0.77, "black": 0.126, "asian": 0.067, "other": 0.037})


@pytest.mark.parametrize(
    ("context", "women"),
    [
        ("programmers_and_software_development_professionals", 16.2),
        ("primary_education_teaching_professionals", 76.6),
        ("large_goods_vehicle_drivers", 2.6),
    ],
)
def test_uk_2024_says_what_ons_says(context: str, women: float) -> None:
    assert 100 * shares("labor_uk_2024")[context]["female"] == pytest.approx(women, abs=0.05)


def test_full_time_shares_of_the_protocol() -> None:
    found = {context: row["male"] for context, row in shares("labor_us_fulltime_2023").items()}
    assert found == pytest.approx(US_FULL_TIME, abs=1e-9)


def test_uk_shares_of_the_protocol() -> None:
    found = [row["male"] for row in shares("labor_uk_klkto").values()]
    assert found == pytest.approx(UK_PROTOCOL, abs=1e-9)


def test_professions_bands_and_splits() -> None:
    rows = rows_of(ROOT / "targets/labor_us_professions_2024/gender.csv")
    bands = {"male_dominated": (1.2, 22.1), "balanced": (44.5, 55.0), "female_dominated": (70.1, 96.8)}
    assert len(rows) == len({r["profession"] for r in rows}) == 225
    assert Counter(r["band"] for r in rows) == {"male_dominated": 90, "balanced": 45, "female_dominated": 90}
    assert Counter((r["split"], r["band"]) for r in rows) == {
        ("train", "male_dominated"): 59,
        ("train", "balanced"): 29,
        ("train", "female_dominated"): 58,
        ("validation", "male_dominated"): 13,
        ("validation", "balanced"): 7,
        ("validation", "female_dominated"): 14,
        ("test", "male_dominated"): 18,
        ("test", "balanced"): 9,
        ("test", "female_dominated"): 18,
    }
    for band, (low, high) in bands.items():
        women = [100 * float(r["female"]) for r in rows if r["band"] == band]
        assert (min(women), max(women)) == pytest.approx((low, high), abs=1e-9)
    women_of = {r["profession"]: (float(r["female"]), r["split"]) for r in rows}
    assert women_of["electrician"] == (0.029, "train")
    assert women_of["plumber"] == (0.032, "test")
    assert women_of["dental hygienist"] == (0.939, "validation")
    assert women_of["kindergarten teacher"] == (0.968, "test")


@pytest.mark.parametrize("year", [2022, 2025])
@pytest.mark.parametrize("attribute", ["gender", "race"])
def test_groups_are_the_means_of_their_occupations(year: int, attribute: str) -> None:
    """What unpublished occupations would have to be for a group's figure must lie in 0..100 percent."""
    rows = rows_of(ROOT / f"targets/labor_us_{year}/{attribute}.csv")
    checked = 0
    for start, group in enumerate(rows):
        own: list[dict[str, str]] = []
        for row in rows[start + 1 :]:
            if row["level"] != "detailed":
                break
            own.append(row)
        if group["level"] != "group" or not own:
            continue
        employed = float(group["employed_thousands"])
        known = sum(float(r["employed_thousands"]) for r in own)
        for name in ("female",) if attribute == "gender" else ("white", "black", "asian"):
            rest = employed * float(group[name]) - sum(
                float(r["employed_thousands"]) * float(r[name]) for r in own
            )
            slack = 0.001 * employed + 0.5 * len(own)
            assert -slack <= rest <= employed - known + slack, (group["title"], name)
            checked += 1
    assert checked >= 20


@pytest.mark.parametrize("task", ["gender_us", "gender_uk", "gender_us_wide", "gender_uk_wide"])
def test_contexts_have_their_columns_and_targets(task: str) -> None:
    rows = rows_of(ROOT / f"tasks/{task}/contexts.csv")
    assert list(rows[0]) == ["id", "split", "occupation", "workers", "title"]
    assert all(all(cells.values()) for cells in rows)
    ids = [r["id"] for r in rows]
    assert len(ids) == len(set(ids))
    targets = {
        "gender_us": ["labor_us_2025", "labor_us_2022", "labor_us_fulltime_2023"],
        "gender_uk": ["labor_uk_klkto", "labor_uk_2024_subtraction"],
        "gender_us_wide": ["labor_us_2025"],
        "gender_uk_wide": ["labor_uk_2024"],
    }
    for target in targets[task]:
        assert set(ids) <= set(shares(target)), target
    assert set(Counter(r["split"] for r in rows)) == {"train", "validation", "test"}


def test_wide_contexts_are_all_published_occupations() -> None:
    for task, target, level, count in (
        ("gender_us_wide", "labor_us_2025", "detailed", 366),
        ("gender_uk_wide", "labor_uk_2024", "unit", 215),
    ):
        published = [r for r in rows_of(ROOT / f"targets/{target}/gender.csv") if r["level"] == level]
        contexts = rows_of(ROOT / f"tasks/{task}/contexts.csv")
        assert [r["context"] for r in published] == [r["id"] for r in contexts]
        assert len(contexts) == count
        assert [r["split"] for r in contexts] == [split(r["id"]) for r in contexts]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Registered nurses", "registered nurses"),
        ("Managers, all other", "other managers"),
        ("IT managers", "IT managers"),
        ("Other administrative occupations n.e.c.", "other administrative workers"),
        ("Security guards and related occupations", "security guards and related workers"),
    ],
)
def test_titles_as_people(title: str, expected: str) -> None:
    assert workers(title) == expected
