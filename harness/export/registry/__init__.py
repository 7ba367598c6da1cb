"""Exported runs as MLflow models: logged, registered, served, and fetched again."""
