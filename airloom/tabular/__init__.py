"""Reads tables: files and a description of how they are read (`airloom.graph.tables`) become rows.

Evaluation is lazy, by polars: only what is asked for is read, in pieces, so that a table need not fit into memory
unless all of it is wanted there. Whoever opens no table does not import polars.
"""

from airloom.tabular.parts import Part, full_names
from airloom.tabular.table import Table

__all__ = ["Part", "Table", "full_names"]
