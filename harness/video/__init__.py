"""Read frames from videos, images and cameras, and write videos."""
