"""The columns are declared once: the tables have them in this order, with a meaning and a unit."""

import pytest
from nets import run, spec

from harness.engine.measures import MEASURES, ON_REQUEST
from harness.engine.remedied.measures import REMEDIED
from harness.results.columns import LAYERS, NETWORKS, STEP_LAYERS, STEPS


@pytest.mark.parametrize("record_layers", [None, 2])
def test_the_tables_have_the_declared_columns_in_their_order(record_layers):
    layers, networks = run([spec("relu", depth=3), spec("tanh", depth=1)], 2, record_layers=record_layers)
    assert list(layers) == [column.name for column in LAYERS]
    assert list(networks) == [column.name for column in NETWORKS]


def test_every_column_has_one_meaning_and_every_number_a_unit():
    assert {column.name for column in LAYERS if column.source == "measure"} == {*MEASURES, *REMEDIED, *ON_REQUEST}
    for column in (*LAYERS, *NETWORKS, *STEPS, *STEP_LAYERS):
        assert column.meaning and not column.meaning.endswith("."), column.name
        assert column.unit or column.repeats or column.source == "coordinate", column.name  # these and texts have none
    for name in {column.name for column in LAYERS} & {column.name for column in NETWORKS}:
        first, second = ({column.name: column for column in table}[name] for table in (LAYERS, NETWORKS))
        assert first is second
