"""What the policy APIs mean; one file for each API."""
