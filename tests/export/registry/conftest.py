from tests.tracking.conftest import store  # noqa: F401 (a fixture)
