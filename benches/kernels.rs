//! int8 products on every instruction set of this machine, and candle's `f32` product of the same size.
//!
//! Throughput is in operations (a multiplication and an addition are two). With one row each weight is read once: that
//! group is also the rate at which weights stream, one byte each, which `weights` reports in bytes.

use candle_core::{Device, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use linnet::nn::{Dense, Epilogue, Isa, Rows, gemm};
use std::hint::black_box;

/// Inputs and outputs of the layers of two encoders: feed-forward modules, attention and the input projection.
const LAYERS: [(usize, usize); 4] = [(144, 576), (576, 144), (256, 768), (640, 144)];
const ROWS: [usize; 5] = [1, 2, 8, 14, 32];

fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * 0.37).sin()).collect()
}

fn layer(k: usize, n: usize) -> Dense {
    Dense::quantize(&values(n * k), None, n, k)
}

fn products(c: &mut Criterion) {
    for (k, n) in LAYERS {
        let dense = layer(k, n);
        let mut group = c.benchmark_group(format!("{k}x{n}"));
        for m in ROWS {
            let x = values(m * k);
            let mut rows = Rows::with_capacity(m, k);
            rows.quantize(&x, m, k);
            let mut out = vec![0.0; m * n];
            group.throughput(Throughput::Elements((2 * m * n * k) as u64));
            for isa in Isa::available() {
                group.bench_function(BenchmarkId::new(isa.to_string(), m), |b| {
                    b.iter(|| gemm(isa, black_box(&rows), &dense, &mut out, Epilogue::Store));
                });
            }
            group.bench_function(BenchmarkId::new("quantize", m), |b| b.iter(|| rows.quantize(black_box(&x), m, k)));
            let candle = || -> candle_core::Result<(Tensor, Tensor)> {
                let weight = Tensor::from_vec(values(n * k), (n, k), &Device::Cpu)?.t()?.contiguous()?;
                Ok((Tensor::from_vec(x.clone(), (m, k), &Device::Cpu)?, weight))
            };
            let (x, weight) = candle().expect("tensors on the CPU");
            group.bench_function(BenchmarkId::new("candle-f32", m), |b| {
                b.iter(|| black_box(&x).matmul(&weight).expect("product of fitting shapes"));
            });
        }
        group.finish();
    }
}

/// One row through layers that fit the second-level cache, the third, and neither.
fn weights(c: &mut Criterion) {
    let mut group = c.benchmark_group("weights");
    for n in [768, 16 * 1024, 256 * 1024] {
        let k = 256;
        let dense = layer(k, n);
        let mut rows = Rows::with_capacity(1, k);
        rows.quantize(&values(k), 1, k);
        let mut out = vec![0.0; n];
        group.throughput(Throughput::Bytes((n * k) as u64));
        for isa in Isa::available() {
            group.bench_function(BenchmarkId::new(isa.to_string(), format!("{} KiB", n * k / 1024)), |b| {
                b.iter(|| gemm(isa, black_box(&rows), &dense, &mut out, Epilogue::Store));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, products, weights);
criterion_main!(benches);
