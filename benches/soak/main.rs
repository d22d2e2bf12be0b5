//! Soaks the live path; see `linnet_benches::soak`.
//!
//! `cargo run --release -p linnet-benches --bin soak -- [HOURS] [SPEED] [SEED]`, one hour at 40 times real time unless
//! told otherwise.

use std::{process::ExitCode, time::Duration};

use linnet_benches::{
    engine,
    soak::{self, Options, run},
    speech,
};
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = soak::HEAP;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<f64>());
    let mut next = |default: f64| args.next().unwrap_or(Ok(default));
    let (Ok(hours), Ok(speed), Ok(seed)) = (next(1.0), next(40.0), next(1.0)) else {
        eprintln!("soak: HOURS, SPEED and SEED must be numbers");
        return ExitCode::from(2);
    };
    let duration = Duration::from_secs_f64((hours * 3600.0).max(1.0));
    let options = Options { duration, speed: speed.max(1.0) as u32, seed: seed as u64, faults: true };
    match run(&engine(), &speech(60), options) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("soak: {why}");
            ExitCode::FAILURE
        }
    }
}
