"""Crop the faces of videos: a folder of crops for each person, a report of what was lost, and a contact sheet."""
