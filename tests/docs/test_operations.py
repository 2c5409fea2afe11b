"""docs/operations.md names the metrics, phases and environment that there are."""

from __future__ import annotations

import re
from typing import get_args

from prometheus_client import CollectorRegistry

from huatuo_server.engine import vllm_engine
from huatuo_server.engine.base import Phase
from huatuo_server.metrics import Metrics
from huatuo_server.startup import Status
from tests.docs.markdown import PAGES, ROOT, code_words, section, table

OPERATIONS = ROOT / "docs" / "operations.md"


def collectors() -> dict[str, tuple[str, frozenset[str]]]:
    """Each of our metrics: its name as scraped -> its kind and labels."""
    metrics = Metrics(CollectorRegistry())
    found = {}
    for one in vars(metrics).values():
        if hasattr(one, "_labelnames"):
            kind = type(one).__name__.lower()
            name = one._name + ("_total" if kind == "counter" else "")
            found[name] = (kind, frozenset(one._labelnames))
    return found


def test_every_metric_is_in_the_table_and_the_reverse() -> None:
    """Name, kind and labels of our metrics are those of the code."""
    written = {row[0]: (row[1], frozenset(row[2].split(", ")) - {""}) for row in table(OPERATIONS, "Metrics")}
    assert written == collectors()


def test_no_page_names_a_metric_that_does_not_exist() -> None:
    """Every hgv_* name on any page is a metric."""
    for page in PAGES:
        named = set(re.findall(r"\bhgv_[a-z_0-9]*[a-z0-9]", page.read_text(encoding="utf-8")))
        assert named <= set(collectors()), page.name


def test_the_statuses_and_phases_are_the_ones_that_health_answers() -> None:
    """The table of statuses and the list of phases are the code's."""
    assert {row[0] for row in table(OPERATIONS, "Health")} == set(get_args(Status))
    assert set(get_args(Phase)) <= code_words(section(OPERATIONS, "Health"))


def test_the_variables_that_we_set_for_vllm_are_in_the_table() -> None:
    """What the engine sets in the environment stands in the second table of the settings, with its value."""
    written = {name: row[1] for row in table(OPERATIONS, "Settings", 1) for name in row[0].split(", ")}
    ours = {**vllm_engine._QUIET, **vllm_engine._ON_CPU}
    assert ours.items() <= written.items()
    assert written.keys() - ours.keys() == {"VLLM_CPU_OMP_THREADS_BIND"}
