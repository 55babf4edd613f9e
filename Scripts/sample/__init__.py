"""Generators of the invented sample of the GLUE tasks, one module per task."""
