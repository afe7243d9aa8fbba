"""What a step's script may import of the SDK: this folder is the only entry of the script's PYTHONPATH.

It holds two packages, `azureml` and `airloom`, with one implementation, `_airloom_step`. They need nothing but the
standard library of Python 3.8 or later, so that a script's environment need not have Airloom, nor Airloom's Python.
"""
