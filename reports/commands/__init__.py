"""How every command talks: flags in, one-line errors, progress, results found again."""
