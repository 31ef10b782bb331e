"""The embedded sandbox: pods, nodes and policies as network namespaces and packet filters of this machine."""

from probes.backends.netns.sandbox import Sandbox, sandbox
from probes.backends.netns.session import NetnsBackend, words_here
from probes.backends.netns.source import SandboxSource

__all__ = ["NetnsBackend", "Sandbox", "SandboxSource", "sandbox", "words_here"]
