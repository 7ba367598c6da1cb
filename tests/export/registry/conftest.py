from tests.tracking.conftest import fresh, store  # noqa: F401 (fixtures)
