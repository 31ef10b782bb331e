"""What all policies together say: of one flow with its reasons, or of all flows at once as bitsets."""
