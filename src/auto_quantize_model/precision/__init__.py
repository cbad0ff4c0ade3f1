"""Number formats: what a pair means to ModelOpt, its quantizers, and FP4 where ModelOpt needs CUDA."""
