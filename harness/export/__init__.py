"""Model files of a run, checked, scored and timed. `harness.export(...)` calls `harness.export.api.export`."""

from harness.utils.callable_package import make_callable

make_callable(__name__)
