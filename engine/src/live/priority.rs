//! The priority of the recognizer's thread.

/// Puts this thread above ordinary ones.
///
/// # Errors
/// Why it stays as it is.
#[cfg(feature = "realtime")]
pub(super) fn raise() -> Result<(), String> {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{
            RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
            set_thread_priority_and_policy, thread_native_id,
        };
        // Low among the real-time priorities: a sound server's threads go first.
        let priority = ThreadPriorityValue::try_from(10u8).map_err(|why| why.to_string())?;
        let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
        set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(priority), policy).map_err(
            |error| {
                format!(
                    "the system refused real-time scheduling ({error}); allow it with `ulimit -r 10`, \
                     LimitRTPRIO=10 in a systemd unit, or `--cap-add SYS_NICE` in a container"
                )
            },
        )
    }
    #[cfg(not(target_os = "linux"))]
    thread_priority::set_current_thread_priority(thread_priority::ThreadPriority::Max)
        .map_err(|error| format!("the system refused it ({error})"))
}

/// Puts this thread above ordinary ones.
///
/// # Errors
/// Why it stays as it is.
#[cfg(not(feature = "realtime"))]
pub(super) fn raise() -> Result<(), String> {
    Err("this build lacks the feature realtime".into())
}
