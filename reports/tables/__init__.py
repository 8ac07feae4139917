"""One table a file: text, a value to sort by, and the Records behind it."""
