"""Copies data between any two datastores: files by pieces, rows of databases, and either into the other."""
