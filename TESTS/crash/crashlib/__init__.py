"""Crash simulators for the mail path; see README.md in the folder above."""
