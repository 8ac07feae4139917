"""What a Record can be taken as evidence for: controls, and guarantees that it refutes."""
