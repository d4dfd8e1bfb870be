"""New API: a gateway between LLM clients and providers. Importing the package costs nothing."""

__version__ = "0.1.0"
