"""Exported runs as MLflow models: log, register, serve and download them."""
