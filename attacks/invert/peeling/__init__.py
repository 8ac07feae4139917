"""Exact inversion of piecewise linear networks, layer by layer from the logits downwards.

- The model: `graph` reads it by torch.fx, ``rules/`` has a kind of layer a file; `readable` says
  which releases can be read.
- Equations: `geometry` and `flow` say what a weight's gradient tells, `gather` collects, `solve`
  solves, `counts` and `cliff` count them.
- The way down: `last_layer`, `blind` and `directions` where no slope is known, `walk` by layers,
  `doubts` and `bits` for gates that are not sure.
- Group normalisation: `normed_system`, `normed`, `unnorm`.
- Batches: `batch`, `demix`; behind the logits `last_softmax` and `last_batch`.
- Masks and noise: `outer`, `masked_last`, `masked_top`, `top`, `bilinear`, `rounding`, `equations`,
  `masked`, `scale`; `joint` with `beliefs`, `moments`, `odds`, `picture` and `trimmed`.
- Lengths: `onward` runs what lies above a node. The rest of the picture: `regression`, `match`,
  `restarts`, `whole`, `partial`, `latent`, `likeliest`.
"""
