"""Drawing of faces and their outputs on the frames of a video."""
