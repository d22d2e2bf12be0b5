//! Sample formats to f32 in -1..1.
//!
//! Integers are divided by their full scale, a power of two: -32768 becomes -1 exactly and the positive end stays just
//! below 1. µ-law and A-law follow ITU-T G.711.

/// Larger magnitudes than this cannot be samples. The bound lies far above full scale, to pass hosts whose f32 samples
/// are scaled as integers, and low enough that squares and sums of such samples stay finite.
const LARGEST: f32 = (1u64 << 32) as f32;

/// Whether a sample can be audio: not NaN, not infinite, and of a magnitude of at most 2^32.
#[inline]
pub fn is_audio(sample: f32) -> bool {
    sample.abs() <= LARGEST
}

/// 16-bit PCM.
#[inline]
pub fn i16_to_f32(sample: i16) -> f32 {
    f32::from(sample) * (1.0 / 32768.0)
}

/// 32-bit PCM, rounded to the precision of an f32.
#[inline]
pub fn i32_to_f32(sample: i32) -> f32 {
    sample as f32 * (1.0 / 2147483648.0)
}

/// Unsigned 8-bit PCM, silent at 128.
#[inline]
pub fn u8_to_f32(sample: u8) -> f32 {
    (f32::from(sample) - 128.0) * (1.0 / 128.0)
}

/// µ-law (G.711), by way of its 14-bit linear value.
#[inline]
pub fn mulaw_to_f32(code: u8) -> f32 {
    i16_to_f32(mulaw_to_i16(code))
}

/// A-law (G.711), by way of its 13-bit linear value.
#[inline]
pub fn alaw_to_f32(code: u8) -> f32 {
    i16_to_f32(alaw_to_i16(code))
}

/// µ-law to linear PCM: 14 significant bits, at the top of 16.
///
/// All bits of a code are sent inverted. Within segment `s` the steps are `2^(s+1)` apart, offset by a bias of 33 that
/// makes the segments meet (G.711, table 2).
#[inline]
pub fn mulaw_to_i16(code: u8) -> i16 {
    let code = !code;
    let segment = (code >> 4) & 7;
    let step = i16::from(code & 15);
    let magnitude = (((step << 1) + 33) << segment) - 33;
    let linear = if code & 0x80 != 0 { -magnitude } else { magnitude };
    linear << 2
}

/// A-law to linear PCM: 13 significant bits, at the top of 16.
///
/// Every other bit of a code is sent inverted, and a set sign bit means positive. Segments 0 and 1 have equal steps,
/// each further one doubles them (G.711, table 1).
#[inline]
pub fn alaw_to_i16(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = (code >> 4) & 7;
    let step = i16::from(code & 15);
    let half_step = (step << 1) + 1;
    let magnitude = if segment == 0 { half_step } else { (half_step + 32) << (segment - 1) };
    let linear = if code & 0x80 != 0 { magnitude } else { -magnitude };
    linear << 3
}

/// A type of PCM samples that hosts hand in.
pub trait PcmSample: Copy {
    /// The sample in -1..1.
    fn to_f32(self) -> f32;
}

impl PcmSample for f32 {
    #[inline]
    fn to_f32(self) -> f32 {
        self
    }
}

impl PcmSample for i16 {
    #[inline]
    fn to_f32(self) -> f32 {
        i16_to_f32(self)
    }
}

impl PcmSample for i32 {
    #[inline]
    fn to_f32(self) -> f32 {
        i32_to_f32(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_span_full_scale() {
        assert_eq!(i16_to_f32(i16::MIN), -1.0);
        assert_eq!(i16_to_f32(i16::MAX), 32767.0 / 32768.0);
        assert_eq!(i16_to_f32(0), 0.0);
        assert_eq!(i32_to_f32(i32::MIN), -1.0);
        assert_eq!(i32_to_f32(1 << 30), 0.5);
        assert_eq!(u8_to_f32(0), -1.0);
        assert_eq!(u8_to_f32(128), 0.0);
        assert_eq!(u8_to_f32(255), 127.0 / 128.0);
    }

    /// Decoder output values of G.711 tables 2a and 2b (µ-law): the ends of the segments, from code 0x80 (largest
    /// positive) down to 0xff (zero).
    #[test]
    fn mulaw_matches_the_table_of_g711() {
        let table: [(u8, i16); 17] = [
            (0x80, 8031),
            (0x8f, 4191),
            (0x90, 3999),
            (0x9f, 2079),
            (0xa0, 1983),
            (0xaf, 1023),
            (0xb0, 975),
            (0xbf, 495),
            (0xc0, 471),
            (0xcf, 231),
            (0xd0, 219),
            (0xdf, 99),
            (0xe0, 93),
            (0xef, 33),
            (0xf0, 30),
            (0xfe, 2),
            (0xff, 0),
        ];
        for (code, linear) in table {
            assert_eq!(mulaw_to_i16(code), linear << 2, "code {code:#04x}");
            assert_eq!(mulaw_to_i16(code & 0x7f), -(linear << 2), "code {:#04x}", code & 0x7f);
        }
    }

    /// Decoder output values of G.711 tables 1a and 1b (A-law): the ends of the segments.
    #[test]
    fn alaw_matches_the_table_of_g711() {
        let table: [(u8, i16); 16] = [
            (0b1111_1111, 4032),
            (0b1111_0000, 2112),
            (0b1110_1111, 2016),
            (0b1110_0000, 1056),
            (0b1101_1111, 1008),
            (0b1101_0000, 528),
            (0b1100_1111, 504),
            (0b1100_0000, 264),
            (0b1011_1111, 252),
            (0b1011_0000, 132),
            (0b1010_1111, 126),
            (0b1010_0000, 66),
            (0b1001_1111, 63),
            (0b1001_0000, 33),
            (0b1000_1111, 31),
            (0b1000_0000, 1),
        ];
        for (character, linear) in table {
            // The tables list codes before the even bits are inverted for the line.
            assert_eq!(alaw_to_i16(character ^ 0x55), linear << 3, "code {character:#010b}");
            assert_eq!(alaw_to_i16(character ^ 0xd5), -(linear << 3), "code {character:#010b}, negative");
        }
    }

    #[test]
    fn companded_codes_rise_with_their_values() {
        let mut mulaw: Vec<i16> = (0x80..=0xff).map(mulaw_to_i16).collect();
        mulaw.dedup();
        assert_eq!(mulaw.len(), 128);
        assert!(mulaw.is_sorted_by(|a, b| a > b));
        let alaw: Vec<i16> = (0x80..=0xff).map(|code: u8| alaw_to_i16(code ^ 0x55)).collect();
        assert!(alaw.is_sorted_by(|a, b| a < b));
        assert_eq!(mulaw_to_f32(0xff), 0.0);
        assert_eq!(alaw_to_f32(0x55), -8.0 / 32768.0);
    }

    #[test]
    fn tells_audio_from_damage() {
        for sample in [0.0, -1.0, 32767.0, 1e9] {
            assert!(is_audio(sample));
        }
        for sample in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 1e10] {
            assert!(!is_audio(sample));
        }
    }
}
