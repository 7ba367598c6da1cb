"""What a run reads in new pictures: faces found, followed, predicted and smoothed."""
