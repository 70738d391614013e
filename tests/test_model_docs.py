"""The guide to the I/O models knows all of them."""

from pathlib import Path

import pytest

from minikv.model_docs import renewed
from minikv.models import MODELS

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "docs/io-models.md").read_text()


def test_the_table_is_fresh():
    assert renewed(GUIDE) == GUIDE, "run `make docs`"


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_each_model_is_explained(model):
    assert f"`{model.name}`" in GUIDE.partition("## One request, model by model")[2]
    source = ROOT / model.source
    assert source.exists()
    assert len(source.read_text().splitlines()) <= 300
