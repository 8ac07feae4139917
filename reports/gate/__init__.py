"""What a report comes down to for a machine: one word per result, an exit code, a badge."""
