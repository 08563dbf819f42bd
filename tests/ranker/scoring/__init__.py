"""Tests of a pushed model applied to tables."""
