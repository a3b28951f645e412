"""Tests of DeepAR."""
