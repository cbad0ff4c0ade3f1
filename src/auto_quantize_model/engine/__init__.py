"""The engines: capture and replay, ModelOpt's own loop, and the search on their scores."""
