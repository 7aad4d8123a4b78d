"""The live page: static files that the demo's server hands out, and how to take pictures of them."""
