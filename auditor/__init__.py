"""netaudit's inside: vocabulary, rules and the pipeline."""

__version__ = "0.1.0"
