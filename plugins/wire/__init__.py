"""The REST API in the shape of Azure ML's pipeline service v1, mounted at /pipelines.

A caller that was written for the original service changes the host and the token, and nothing else. The routes here
translate; what they do is done by the same functions as in the API at /airloom.
"""
