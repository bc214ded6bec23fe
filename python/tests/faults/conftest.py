import pytest
from host import Collector, Hosts


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture
def hosts(tmp_path, collector):
    return Hosts(tmp_path, collector)
