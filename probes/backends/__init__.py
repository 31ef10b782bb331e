"""Where probes can be carried out; one module or package for each backend."""
