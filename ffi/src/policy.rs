//! When utterances end.

use std::time::Duration;

use linnet::Policy;

use crate::{
    error::{Failure, guard, linnet_status_t},
    live::{linnet_live_t, session},
    memory::{AbiStruct, read_struct, write_struct},
    stream::{linnet_stream_t, with},
    value::{flag, optional, saturate_ms},
};

/// Conversation: the default.
pub const LINNET_PRESET_CONVERSATION: u32 = 0;
/// Short commands to a device, answered at once.
pub const LINNET_PRESET_COMMAND: u32 = 1;
/// Text that is thought about while it is spoken.
pub const LINNET_PRESET_DICTATION: u32 = 2;
/// Orders with hesitations, in the noise of engines and kitchens.
pub const LINNET_PRESET_DRIVE_THRU: u32 = 3;
/// Calls: quick turns, numbers said in groups.
pub const LINNET_PRESET_PHONE: u32 = 4;

/// When utterances end. Set `size`, fill the rest with linnet_policy_init, and change what is needed.
///
/// Three rules, of which the first that applies ends the utterance: silence (`endpoint_ms`), a gap between words
/// (`utterance_end_ms`), and length (`max_utterance_ms`).
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct linnet_policy_t {
    /// sizeof(linnet_policy_t).
    pub size: usize,
    /// Silence after speech that ends the utterance, in milliseconds; 0 for never.
    pub endpoint_ms: u32,
    /// Whether the model may shorten that silence to 0.4 or lengthen it to 1.8 of its length, by how finished the
    /// utterance sounds: 1 or 0.
    pub adaptive: u32,
    /// Least silence after words that something is likely to follow ("with", "the", a number), in milliseconds. English
    /// models only.
    pub unfinished_ms: u32,
    /// Gap between words that ends the utterance, whatever is heard in it, in milliseconds; 0 for never.
    pub utterance_end_ms: u32,
    /// Longest utterance in milliseconds: a final event is made at the next pause between words after it; 0 sets no
    /// limit.
    pub max_utterance_ms: u32,
    /// Zero.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, size first, integers only.
unsafe impl AbiStruct for linnet_policy_t {
    const NAME: &'static str = "linnet_policy_t";
    const FIRST_SIZE: usize = size_of::<Self>();
}

impl From<Policy> for linnet_policy_t {
    fn from(policy: Policy) -> Self {
        let Policy { endpointing, adaptive, unfinished, utterance_end, max_utterance } = policy;
        Self {
            size: size_of::<Self>(),
            endpoint_ms: endpointing.map_or(0, saturate_ms),
            adaptive: adaptive.into(),
            unfinished_ms: saturate_ms(unfinished),
            utterance_end_ms: utterance_end.map_or(0, saturate_ms),
            max_utterance_ms: if max_utterance == Duration::MAX { 0 } else { saturate_ms(max_utterance) },
            reserved: 0,
        }
    }
}

impl linnet_policy_t {
    pub(crate) fn to_policy(self) -> Result<Policy, Failure> {
        Ok(Policy {
            endpointing: optional(self.endpoint_ms),
            adaptive: flag(self.adaptive, "adaptive")?,
            unfinished: Duration::from_millis(self.unfinished_ms.into()),
            utterance_end: optional(self.utterance_end_ms),
            max_utterance: optional(self.max_utterance_ms).unwrap_or(Duration::MAX),
        })
    }
}

/// The policy that a host gave; the default one for null.
///
/// # Safety
/// `policy` is null or can be read for as many bytes as its size field says.
unsafe fn read(policy: *const linnet_policy_t) -> Result<Policy, Failure> {
    if policy.is_null() {
        return Ok(Policy::default());
    }
    // SAFETY: as promised by the caller.
    unsafe { read_struct(policy, Policy::default().into())? }.to_policy()
}

/// Fills `policy` with a preset: a LINNET_PRESET_ constant. Its `size` field is set by the caller.
///
/// Errors: LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `policy` is the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_policy_init(policy: *mut linnet_policy_t, preset: u32) -> linnet_status_t {
    guard(|| {
        let chosen = match preset {
            LINNET_PRESET_CONVERSATION => Policy::default(),
            LINNET_PRESET_COMMAND => Policy::command(),
            LINNET_PRESET_DICTATION => Policy::dictation(),
            LINNET_PRESET_DRIVE_THRU => Policy::drive_thru(),
            LINNET_PRESET_PHONE => Policy::phone(),
            other => return Err(Failure::argument(format!("preset is {other}; it takes a LINNET_PRESET_ constant"))),
        };
        // SAFETY: the caller promises that `policy` is null or a struct of the size that it says.
        unsafe { write_struct(policy, &chosen.into()) }
    })
}

/// Changes when utterances end, also the running one. `policy` may be null, for the default one.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT, LINNET_ERROR_UNSUPPORTED. Threads: any.
/// Ownership: `policy` is only read during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_stream_set_policy(
    stream: linnet_stream_t,
    policy: *const linnet_policy_t,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `policy` is null or a struct of the size that it says.
        let policy = unsafe { read(policy)? };
        with(stream, |state| {
            state.stream.set_policy(policy);
            Ok(())
        })
    })
}

/// Fills `policy` with what ends the utterances of the stream. Its `size` field is set by the caller.
///
/// Errors: LINNET_ERROR_INVALID_HANDLE, LINNET_ERROR_INVALID_ARGUMENT. Threads: any. Ownership: `policy` is the
/// caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_stream_policy(
    stream: linnet_stream_t,
    policy: *mut linnet_policy_t,
) -> linnet_status_t {
    guard(|| {
        let current = with(stream, |state| Ok(state.stream.policy()))?;
        // SAFETY: the caller promises that `policy` is null or a struct of the size that it says.
        unsafe { write_struct(policy, &current.into()) }
    })
}

/// Changes when the utterances of a session end, from the audio that comes next on; otherwise as
/// linnet_stream_set_policy.
///
/// Errors: as linnet_stream_set_policy. Threads: any. Ownership: `policy` is only read during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linnet_live_set_policy(
    live: linnet_live_t,
    policy: *const linnet_policy_t,
) -> linnet_status_t {
    guard(|| {
        // SAFETY: the caller promises that `policy` is null or a struct of the size that it says.
        let policy = unsafe { read(policy)? };
        session(live)?.remote.set_policy(policy);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::linnet_status_t::*;

    #[test]
    fn presets_are_those_of_the_engine_both_ways() {
        let presets =
            [Policy::default(), Policy::command(), Policy::dictation(), Policy::drive_thru(), Policy::phone()];
        for (preset, expected) in (0..).zip(presets) {
            let mut policy = linnet_policy_t::from(Policy { adaptive: false, ..Policy::default() });
            // SAFETY: it is a whole struct.
            assert_eq!(unsafe { linnet_policy_init(&mut policy, preset) }, LINNET_OK);
            assert_eq!(policy.to_policy().unwrap(), expected);
        }
        let mut policy = linnet_policy_t::from(Policy::default());
        // SAFETY: as above.
        assert_eq!(unsafe { linnet_policy_init(&mut policy, 5) }, LINNET_ERROR_INVALID_ARGUMENT);
    }

    #[test]
    fn zero_is_never() {
        let never =
            Policy { endpointing: None, utterance_end: None, max_utterance: Duration::MAX, ..Policy::default() };
        let policy = linnet_policy_t::from(never);
        assert_eq!((policy.endpoint_ms, policy.utterance_end_ms, policy.max_utterance_ms), (0, 0, 0));
        assert_eq!(policy.to_policy().unwrap(), never);
        let failure = linnet_policy_t { adaptive: 2, ..policy }.to_policy().unwrap_err();
        assert!(failure.message.contains("adaptive"), "{}", failure.message);
    }
}
