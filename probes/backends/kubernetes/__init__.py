"""The ProbeBackend of a real cluster: probe pods beside workloads, driven by exec."""

from probes.backends.kubernetes.session import KubernetesBackend

__all__ = ["KubernetesBackend"]
