//! Times of day.

use std::fmt::Write;

use super::{
    number::{below_hundred, digit, is_number_word},
    quantity::{currency, unit},
    reader::Reader,
};

/// "five thirty pm", "half past two", "seven o'clock", "at six fifteen".
pub(super) fn time(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    past_or_to(r, i, out).or_else(|| after_hour(r, i, out))
}

fn hour(r: &Reader, i: usize) -> Option<u64> {
    below_hundred(r, i).filter(|hour| hour.end == i + 1 && (1..=12).contains(&hour.value)).map(|hour| hour.value)
}

/// Minutes behind an hour: "thirty", "oh five", "forty two".
fn minutes(r: &Reader, i: usize) -> Option<(u64, usize)> {
    if matches!(r.get(i), "oh" | "o") {
        let unit = digit(r.get(i + 1)).filter(|&unit| unit > 0)?;
        return Some((unit, i + 2));
    }
    below_hundred(r, i).filter(|pair| (10..60).contains(&pair.value)).map(|pair| (pair.value, pair.end))
}

/// "am" or "pm", in the ways that models write it.
fn half_day(r: &Reader, i: usize) -> Option<(&'static str, usize)> {
    match r.get(i) {
        "am" | "a.m." | "a.m" => Some((" AM", i + 1)),
        "pm" | "p.m." | "p.m" => Some((" PM", i + 1)),
        "a" if r.get(i + 1) == "m" => Some((" AM", i + 2)),
        "p" if r.get(i + 1) == "m" => Some((" PM", i + 2)),
        _ => None,
    }
}

fn after_hour(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let hour = hour(r, i)?;
    if matches!(r.get(i + 1), "o'clock" | "oclock") {
        let _ = write!(out, "{hour}:00");
        return Some(with_half_day(r, i + 2, out));
    }
    if let Some((minutes, end)) = minutes(r, i + 1) {
        let is_time = half_day(r, end).is_some() || (is_before_time(r.before()) && is_end_of_number(r.get(end)));
        if is_time {
            let _ = write!(out, "{hour}:{minutes:02}");
            return Some(with_half_day(r, end, out));
        }
        return None;
    }
    let (half, end) = half_day(r, i + 1)?;
    // "Which one am I"
    if half == " AM" && r.get(i + 1) == "am" && r.get(i + 2) == "i" {
        return None;
    }
    let _ = write!(out, "{hour}{half}");
    Some(end)
}

fn with_half_day(r: &Reader, i: usize, out: &mut String) -> usize {
    match half_day(r, i) {
        Some((half, end)) => {
            out.push_str(half);
            end
        }
        None => i,
    }
}

/// Words that a time of day follows.
fn is_before_time(word: &str) -> bool {
    matches!(word, "at" | "by" | "until" | "till" | "before" | "after" | "around" | "about" | "from")
}

fn is_end_of_number(word: &str) -> bool {
    !is_number_word(word)
        && unit(word).is_none()
        && currency(word).is_none()
        && !matches!(word, "percent" | "per" | "degrees" | "cents" | "minutes" | "seconds" | "hours" | "and")
}

/// "quarter past five", "half past ten", "twenty past six", "ten minutes to four".
fn past_or_to(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let start = if r.get(i) == "a" { i + 1 } else { i };
    let (minutes, behind, sure) = match r.get(start) {
        "half" if start == i => (30, start + 1, true),
        "quarter" => (15, start + 1, true),
        _ if start > i => return None,
        _ => {
            let minutes = below_hundred(r, start).filter(|pair| (1..30).contains(&pair.value))?;
            match r.get(minutes.end) {
                "minute" | "minutes" => (minutes.value, minutes.end + 1, true),
                _ => (minutes.value, minutes.end, false),
            }
        }
    };
    let hour = hour(r, behind + 1)?;
    if !is_end_of_number(r.get(behind + 2)) {
        return None;
    }
    let (hour, minutes) = match r.get(behind) {
        "past" => (hour, minutes),
        "after" if sure && minutes != 30 => (hour, minutes),
        "to" | "till" if sure && minutes != 30 => (if hour == 1 { 12 } else { hour - 1 }, 60 - minutes),
        _ => return None,
    };
    let _ = write!(out, "{hour}:{minutes:02}");
    Some(with_half_day(r, behind + 2, out))
}
