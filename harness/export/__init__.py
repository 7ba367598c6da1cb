"""Export of a trained run to model files, with parity checks, scores, latency and a card.

`harness.export(...)` calls `harness.export.api.export`.
"""

from harness.utils.callable_package import make_callable

make_callable(__name__)
