"""One chart a file, drawn in any theme: every figure here is a `chart.Chart`."""
