"""One router per resource. Routes check and translate; what they do is in the modules beside the `api` package."""
