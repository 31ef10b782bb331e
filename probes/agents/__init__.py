"""What runs in a probe pod: programs that stand alone, carried there as text. They import nothing of ours."""
