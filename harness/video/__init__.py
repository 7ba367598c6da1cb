"""Frames in and out: videos, pictures and cameras read alike, and videos written."""
