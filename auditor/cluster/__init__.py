"""The Kubernetes API, snapshots at rest, and the decoder that turns raw objects into values."""
