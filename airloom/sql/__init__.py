"""Databases as places of data: rows are read as Arrow tables, and tables are replaced by them in one step."""
