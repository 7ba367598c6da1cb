"""Pictures of one scored run: what it confuses, how it follows the truth, what its filter and confidence do."""

from harness.analysis.pictures import FOLDER, draw_run

__all__ = ["FOLDER", "draw_run"]
