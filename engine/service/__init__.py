"""A run that nobody watches: its log in lines of JSON, its figures for Prometheus, its health over HTTP."""
