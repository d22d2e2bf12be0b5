use super::*;
use proptest::prelude::*;

/// Whole numbers in -127..=127 that quantize to themselves with scale one, because each row holds a 127.
fn integers(rows: usize, width: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i32
    };
    let mut values: Vec<f32> = (0..rows * width)
        .map(|_| match next() % 8 {
            0 => 127.0,
            1 => -127.0,
            2 => 0.0,
            _ => (next() % 128) as f32 * if next() % 2 == 0 { 1.0 } else { -1.0 },
        })
        .collect();
    for row in values.chunks_exact_mut(width.max(1)) {
        row[0] = 127.0;
    }
    values
}

fn quantized(x: &[f32], m: usize, k: usize) -> Rows {
    let mut rows = Rows::with_capacity(m, k);
    rows.quantize(x, m, k);
    rows
}

/// The sums by definition, from unpacked values.
fn sums(x: &[f32], weight: &[f32], m: usize, n: usize, k: usize) -> Vec<i32> {
    let mut sums = vec![0; m * n];
    for row in 0..m {
        for channel in 0..n {
            let pairs = x[row * k..][..k].iter().zip(&weight[channel * k..][..k]);
            sums[row * n + channel] = pairs.map(|(x, w)| *x as i32 * *w as i32).sum();
        }
    }
    sums
}

/// With scales of one and no bias the result is the sum itself, rounded to `f32` the same way everywhere.
fn check_sums(m: usize, n: usize, k: usize, seed: u32) {
    let (x, weight) = (integers(m, k, seed), integers(n, k, seed ^ 0x5555));
    let (rows, dense) = (quantized(&x, m, k), Dense::quantize(&weight, None, n, k));
    let expected: Vec<f32> = sums(&x, &weight, m, n, k).into_iter().map(|sum| sum as f32).collect();
    for_each_kernel(|name, multiply| {
        let mut out = vec![f32::NAN; m * n];
        multiply(&rows, &dense, &mut out, Epilogue::Store);
        assert_eq!(out, expected, "{name} [{m}, {k}] x [{n}, {k}]");
    });
}

type Multiply<'a> = &'a dyn Fn(&Rows, &Dense, &mut [f32], Epilogue);

/// Every kernel that this machine can run.
fn for_each_kernel(mut check: impl FnMut(&str, Multiply<'_>)) {
    for isa in Isa::available() {
        check(&isa.to_string(), &|x, w, out, epilogue| gemm(isa, x, w, out, epilogue));
    }
    #[cfg(target_arch = "x86_64")]
    if let (Some(narrow), Some(wide)) = (x86::EmulatedVnni::<6>::new(), x86::EmulatedVnni::<8>::new()) {
        check("emulated avx-vnni", &|x, w, out, epilogue| multiply::<_, 1>(narrow, x, w, out, epilogue));
        check("emulated avx512-vnni", &|x, w, out, epilogue| multiply::<_, 2>(wide, x, w, out, epilogue));
    }
}

#[test]
fn sums_are_exact_for_every_number_of_rows() {
    let most = if cfg!(miri) { 5 } else { 34 };
    for m in 0..most {
        check_sums(m, 33, 23, m as u32);
    }
}

#[test]
fn sums_are_exact_for_odd_shapes() {
    for (m, n, k) in [(1, 1, 1), (2, 16, 4), (3, 17, 3), (1, 64, 8), (1, 80, 5), (5, 15, 31), (1, 200, 6), (7, 0, 9)] {
        check_sums(m, n, k, 7);
    }
}

#[test]
#[cfg_attr(miri, ignore = "slow")]
fn sums_are_exact_for_long_rows() {
    check_sums(4, 48, 1030, 1);
    check_sums(1, 144, 4099, 2);
}

#[test]
fn extremes_do_not_saturate() {
    let (m, n, k) = (3, 20, 64);
    for (x, w) in [(127.0, 127.0), (127.0, -127.0), (-127.0, 127.0), (-127.0, -127.0)] {
        let (rows, dense) = (quantized(&vec![x; m * k], m, k), Dense::quantize(&vec![w; n * k], None, n, k));
        for_each_kernel(|name, multiply| {
            let mut out = vec![0.0; m * n];
            multiply(&rows, &dense, &mut out, Epilogue::Store);
            assert!(out.iter().all(|y| *y == x * w * k as f32), "{name} {x} {w}");
        });
    }
}

#[test]
fn epilogues_do_what_they_say() {
    for (m, n, k) in [(1, 70, 12), (3, 16, 7), (9, 21, 40)] {
        let x: Vec<f32> = integers(m, k, 3).iter().map(|x| x * 0.013).collect();
        let weight: Vec<f32> = integers(n, k, 4).iter().map(|w| w * 0.0021).collect();
        let bias: Vec<f32> = (0..n).map(|i| i as f32 * 0.1 - 1.0).collect();
        let dense = Dense::quantize(&weight, Some(&bias), n, k);
        let rows = quantized(&x, m, k);
        let residual: Vec<f32> = (0..m * n).map(|i| (i % 11) as f32 - 5.0).collect();
        let product: Vec<f64> = sums(&integers(m, k, 3), &integers(n, k, 4), m, n, k)
            .iter()
            .enumerate()
            .map(|(i, sum)| {
                let scale = f64::from(rows.scale()[i / n]) * f64::from(dense.scale[i % n]);
                f64::from(*sum) * scale + f64::from(bias[i % n])
            })
            .collect();
        for epilogue in [Epilogue::Store, Epilogue::Add, Epilogue::AddScaled(0.5), Epilogue::Relu, Epilogue::Silu] {
            let expected = product.iter().zip(&residual).map(|(&y, &r)| match epilogue {
                Epilogue::Store => y,
                Epilogue::Add => f64::from(r) + y,
                Epilogue::AddScaled(factor) => f64::from(r) + f64::from(factor) * y,
                Epilogue::Relu => y.max(0.0),
                Epilogue::Silu => y / (1.0 + (-y).exp()),
            });
            let expected: Vec<f64> = expected.collect();
            for_each_kernel(|name, multiply| {
                let mut out = residual.clone();
                multiply(&rows, &dense, &mut out, epilogue);
                for (out, expected) in out.iter().zip(&expected) {
                    let error = (f64::from(*out) - expected).abs();
                    assert!(error <= 1e-5 * expected.abs().max(1.0), "{name} {epilogue:?}: {out} for {expected}");
                }
            });
        }
    }
}

#[test]
fn an_instruction_set_that_is_missing_falls_back() {
    let missing = if cfg!(target_arch = "aarch64") { Isa::Avx2 } else { Isa::Neon };
    let mut out = [0.0; 2];
    gemm(missing, &quantized(&[1.0, 2.0], 2, 1), &Dense::quantize(&[3.0], None, 1, 1), &mut out, Epilogue::Store);
    assert!((out[0] - 3.0).abs() < 1e-5 && (out[1] - 6.0).abs() < 1e-5);
}

#[test]
#[should_panic(expected = "outputs of a [2, 1] layer for 1 rows")]
fn a_short_output_is_refused() {
    let dense = Dense::quantize(&[1.0, 1.0], None, 2, 1);
    gemm(Isa::Scalar, &quantized(&[1.0], 1, 1), &dense, &mut [0.0], Epilogue::Store);
}

#[test]
#[should_panic(expected = "packed weight")]
fn weights_of_another_shape_are_refused() {
    let mut dense = Dense::quantize(&[1.0; 8], None, 2, 4);
    dense.k = 8;
    let x = quantized(&[1.0; 8], 1, 8);
    gemm(Isa::detect(), &x, &dense, &mut [0.0; 2], Epilogue::Store);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

    #[test]
    fn sums_are_exact(m in 0_usize..20, n in 1_usize..100, k in 1_usize..70, seed: u32) {
        check_sums(m, n, k, seed);
    }
}
