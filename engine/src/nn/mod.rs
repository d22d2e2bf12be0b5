//! int8 kernels and fused operations.
