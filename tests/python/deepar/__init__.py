"""Tests of the DeepAR program."""
