//! Dates.

use std::fmt::Write;

use super::{
    number::{below_hundred, cardinal, decade, is_number_word, ordinal, suffix, year},
    reader::Reader,
};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

fn find(names: &[&'static str], word: &str) -> Option<&'static str> {
    names.iter().copied().find(|name| name.eq_ignore_ascii_case(word))
}

/// How a weekday or a month is written; the months that are other words too are left out.
pub(super) fn proper_name(word: &str) -> Option<&'static str> {
    find(&WEEKDAYS, word).or_else(|| find(&MONTHS, word).filter(|month| !is_other_word(month)))
}

/// "March" and "May" are other words too.
fn is_other_word(month: &str) -> bool {
    matches!(month, "March" | "May")
}

/// "july fourth", "the fourth of july", "january twenty first twenty twenty five", "july nineteen sixty nine".
pub(super) fn date(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    month_first(r, i, out).or_else(|| day_first(r, i, out))
}

fn any_year(r: &Reader, i: usize) -> Option<(u64, usize)> {
    if let Some(year) = year(r, i) {
        return Some((year.value, year.end));
    }
    let thousand = cardinal(r, i).filter(|number| r.get(i) == "two" && (2000..2100).contains(&number.value))?;
    Some((thousand.value, thousand.end))
}

fn with_year(r: &Reader, i: usize, out: &mut String) -> usize {
    match any_year(r, i) {
        Some((year, end)) => {
            let _ = write!(out, ", {year}");
            end
        }
        None => i,
    }
}

fn month_first(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let month = find(&MONTHS, r.get(i))?;
    if is_other_word(month)
        && !matches!(
            r.before(),
            "on" | "by"
                | "until"
                | "till"
                | "since"
                | "of"
                | "before"
                | "after"
                | "from"
                | "this"
                | "next"
                | "last"
                | "in"
        )
    {
        return None;
    }
    out.push_str(month);
    if let Some(day) = ordinal(r, i + 1).filter(|day| (1..=31).contains(&day.value)) {
        let _ = write!(out, " {}{}", day.value, suffix(day.value));
        return Some(with_year(r, day.end, out));
    }
    if let Some((year, end)) = any_year(r, i + 1) {
        let _ = write!(out, " {year}");
        return Some(end);
    }
    let day = below_hundred(r, i + 1).filter(|day| (1..=31).contains(&day.value))?;
    let _ = write!(out, " {}", day.value);
    let end = with_year(r, day.end, out);
    // "July five hundred": no day.
    if end == day.end && is_number_word(r.get(end)) {
        return None;
    }
    Some(end)
}

fn day_first(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let day = ordinal(r, i).filter(|day| (1..=31).contains(&day.value))?;
    if r.get(day.end) != "of" {
        return None;
    }
    let month = find(&MONTHS, r.get(day.end + 1))?;
    let _ = write!(out, "{}{} of {month}", day.value, suffix(day.value));
    Some(with_year(r, day.end + 2, out))
}

/// "nineteen eighties".
pub(super) fn decade_of_century(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let century = below_hundred(r, i).filter(|pair| (16..=20).contains(&pair.value) && pair.end == i + 1)?;
    let tens = decade(r.get(century.end))?;
    let _ = write!(out, "{}s", century.value * 100 + tens);
    Some(century.end + 1)
}
