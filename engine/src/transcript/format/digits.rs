//! Numbers that are said digit by digit: codes, and telephone numbers.

use super::{
    number::{digit, is_number_word},
    reader::Reader,
};

/// Longest run that is joined; more than that is counting.
const LONGEST: usize = 32;

/// Shortest run that is joined.
const SHORTEST: usize = 3;

/// Digits of a run, and the place behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits {
    digits: [u8; LONGEST],
    len: usize,
    pub(super) end: usize,
}

impl Digits {
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[..self.len]).unwrap_or("")
    }

    fn push(&mut self, value: u64) -> bool {
        if self.len == LONGEST {
            return false;
        }
        self.digits[self.len] = b'0' + value as u8;
        self.len += 1;
        true
    }
}

/// A run of at least three digits: "nine one one", "five oh five", "double seven three".
pub(super) fn run(r: &Reader, i: usize) -> Option<Digits> {
    read(r, i, false).filter(|digits| digits.len >= SHORTEST)
}

/// A telephone number of North America: ten digits, or eleven that start with one. "Eight hundred" may stand for 800.
pub(super) fn telephone(r: &Reader, i: usize) -> Option<Digits> {
    [true, false].into_iter().find_map(|hundreds| {
        read(r, i, hundreds).filter(|number| number.len == 10 || (number.len == 11 && number.digits[0] == b'1'))
    })
}

/// Some digits: any number of them, at least one.
pub(super) fn any(r: &Reader, i: usize) -> Option<Digits> {
    read(r, i, false)
}

fn read(r: &Reader, start: usize, hundreds: bool) -> Option<Digits> {
    let mut run = Digits { digits: [0; LONGEST], len: 0, end: start };
    let mut last = (0, start);
    loop {
        let i = run.end;
        let word = r.get(i);
        let before = (run.len, run.end);
        let repeated = match word {
            "double" => 2,
            "triple" => 3,
            _ => 1,
        };
        let place = if repeated > 1 { i + 1 } else { i };
        let value = match r.get(place) {
            // Zero is called "oh" between digits only.
            "oh" | "o" if run.len > 0 || repeated > 1 => Some(0),
            word => digit(word),
        };
        let Some(value) = value else { break };
        if !(0..repeated).all(|_| run.push(value)) {
            return None;
        }
        run.end = place + 1;
        if hundreds && repeated == 1 && value > 0 && r.get(run.end) == "hundred" {
            if !(run.push(0) && run.push(0)) {
                return None;
            }
            run.end += 1;
        }
        last = before;
    }
    // "One two three hundred": the last digit belongs to what follows. An "oh" at the end is none.
    if is_number_word(r.get(run.end)) || matches!(r.get(run.end - usize::from(run.end > start)), "oh" | "o") {
        (run.len, run.end) = last;
    }
    (run.len > 0).then_some(run)
}
