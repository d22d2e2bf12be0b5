//! Instruction sets and their detection at run time.

use std::{fmt, sync::OnceLock};

/// An instruction set that the kernels are written for.
///
/// Every kernel computes the same sums in `i32`; they differ in speed only. Variants exist on every platform, so that
/// a host can name any of them; see [`Isa::is_available`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// Portable Rust.
    Scalar,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX2, FMA and the 256-bit integer dot product (AVX-VNNI).
    AvxVnni,
    /// x86-64 with AVX-512 F, BW, VL and the 512-bit integer dot product (AVX512-VNNI).
    Avx512Vnni,
    /// 64-bit ARM with Advanced SIMD.
    Neon,
    /// 64-bit ARM with Advanced SIMD and the integer dot product (`sdot`, FEAT_DotProd).
    NeonDotprod,
}

/// All instruction sets, slowest first within an architecture.
const ALL: [Isa; 6] = [Isa::Scalar, Isa::Avx2, Isa::AvxVnni, Isa::Avx512Vnni, Isa::Neon, Isa::NeonDotprod];

impl Isa {
    /// The fastest instruction set of this machine. The machine is asked once per process.
    pub fn detect() -> Isa {
        *probe().last().unwrap_or(&Isa::Scalar)
    }

    /// Every instruction set of this machine, slowest first; [`Isa::Scalar`] is always there.
    pub fn available() -> Vec<Isa> {
        probe().to_vec()
    }

    /// Whether this machine has the instruction set.
    pub fn is_available(self) -> bool {
        probe().contains(&self)
    }
}

fn probe() -> &'static [Isa] {
    static AVAILABLE: OnceLock<Vec<Isa>> = OnceLock::new();
    AVAILABLE.get_or_init(|| ALL.into_iter().filter(|isa| has(*isa)).collect())
}

/// Asks the machine. Miri interprets portable Rust only.
fn has(isa: Isa) -> bool {
    match isa {
        Isa::Scalar => true,
        _ if cfg!(miri) => false,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
        #[cfg(target_arch = "x86_64")]
        Isa::AvxVnni => has(Isa::Avx2) && is_x86_feature_detected!("avxvnni"),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni => {
            has(Isa::Avx2)
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni")
        }
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => std::arch::is_aarch64_feature_detected!("neon"),
        #[cfg(target_arch = "aarch64")]
        Isa::NeonDotprod => has(Isa::Neon) && std::arch::is_aarch64_feature_detected!("dotprod"),
        _ => false,
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isa::Scalar => "scalar",
            Isa::Avx2 => "avx2",
            Isa::AvxVnni => "avx-vnni",
            Isa::Avx512Vnni => "avx512-vnni",
            Isa::Neon => "neon",
            Isa::NeonDotprod => "neon-dotprod",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detection_is_the_best_of_what_is_available() {
        let available = Isa::available();
        assert_eq!(available[0], Isa::Scalar);
        assert_eq!(available.last(), Some(&Isa::detect()));
        assert!(ALL.into_iter().all(|isa| isa.is_available() == available.contains(&isa)));
    }

    #[test]
    fn no_machine_is_both_x86_and_arm() {
        assert!(!(Isa::Avx2.is_available() && Isa::Neon.is_available()));
    }
}
