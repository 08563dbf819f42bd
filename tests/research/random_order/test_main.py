"""The complete program on a small feed."""

import json
from pathlib import Path

import numpy as np
import pytest

from research.random_order.__main__ import main
from research.random_order.study import AS_SHIPPED, EXPOSURE


@pytest.mark.slow
def test_a_quick_run_writes_page_and_figures_and_continues_from_what_it_kept(tmp_path: Path) -> None:
    page, file, work = tmp_path / "orders.md", tmp_path / "orders.json", tmp_path / "work"
    command = ["--quick", "--rows", "12000", "--work", str(work), "--page", str(page), "--json", str(file)]
    main(command)
    found = json.loads(file.read_text())["figures"]
    assert 0.3 < found["random_order.o_over_e.click"]["ratio"] < 3
    assert 0.3 < found["random_order.o_over_e_with_exposure.click"]["ratio"] < 3
    clicks = found["random_order.o_over_e.click"]["ours"]
    assert f"| `click` | {clicks:,.0f} |" in page.read_text()
    kept = sorted(work.glob("orders/*.npz"))
    assert len(kept) == len((AS_SHIPPED, EXPOSURE))
    with np.load(kept[0]) as first, np.load(kept[1]) as second:
        # The same sessions, shown alike; the production ranker shows what is clicked where it is seen.
        assert (first["random, observed"] == second["random, observed"]).all()
        assert first["random, observed"][:, 0].sum() == clicks
        assert first["of the production ranker, observed"][:, 0].sum() > clicks
    before = page.read_text()
    main(command)
    assert page.read_text() == before
