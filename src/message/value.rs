//! One value in words, written and read: texts, integers with their unit, days, moments.

use std::fmt::Write;

use serde_json::Value;

use super::read::strip_words;
use super::who::Names;
use crate::ledger::{Field, FieldType, Timestamp};

/// What stands where nothing is said.
pub(super) const NONE: &str = "NONE";
/// What people write there.
const NOTHING: &[&str] = &["", NONE, "N/A", "NIL", "NOT APPLICABLE", "-", "–", "—"];

/// Whether words say that there is nothing to say.
pub(super) fn is_nothing(text: &str) -> bool {
    NOTHING.contains(&text.trim().to_uppercase().as_str())
}

/// A text as it is printed: in quotation marks if it would otherwise be read as nothing, or lose white space.
pub(super) fn write_text(text: &str) -> String {
    if needs_marks(text) { format!("\"{text}\"") } else { text.to_owned() }
}

/// The text that was printed; `None` if it says that there is nothing.
pub(super) fn read_text(text: &str) -> Option<String> {
    match inside_marks(text) {
        Some(inside) if needs_marks(inside) => Some(inside.to_owned()),
        _ if is_nothing(text) => None,
        _ => Some(text.to_owned()),
    }
}

fn inside_marks(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}

/// A text in marks of its own needs further ones if what is inside of its own needs them.
fn needs_marks(text: &str) -> bool {
    let mut text = text;
    loop {
        if text.trim() != text || is_nothing(text) {
            return true;
        }
        match inside_marks(text) {
            Some(inside) => text = inside,
            None => return false,
        }
    }
}

/// A single value of a field.
pub(super) fn write(field: &Field, value: &Value, names: &Names) -> String {
    match (field.kind, value) {
        (FieldType::Party, Value::String(code)) => names.write(code),
        (FieldType::Time, Value::String(text)) => {
            Timestamp::parse(text).map_or_else(|| write_text(text), Timestamp::display)
        }
        (FieldType::Integer, Value::Number(number)) => match &field.unit {
            Some(unit) => format!("{number} {unit}"),
            None => number.to_string(),
        },
        (_, Value::String(text)) => write_text(text),
        (_, other) => other.to_string(),
    }
}

/// Reads a single value. `Err` says what it should be; a note says how something unusual was understood.
pub(super) fn read(
    field: &Field,
    text: &str,
    names: &Names,
    note: &mut Option<String>,
) -> Result<Option<Value>, String> {
    let Some(said) = read_text(text) else { return Ok(None) };
    let plain = said.trim();
    let read = match field.kind {
        FieldType::Text => Some(said.clone()),
        FieldType::Integer => {
            let number = integer(plain, field.unit.as_deref(), note);
            return number.map(|number| Some(number.into())).ok_or_else(|| field.expected());
        }
        FieldType::Date => date(plain),
        FieldType::Time => time(plain)?.map(|time| time.to_string()),
        FieldType::ZonedTime => Some(plain.to_owned()),
        FieldType::Choice => {
            let is = |choice: &&String| strip_words(plain, choice).is_some_and(str::is_empty);
            field.choices.iter().find(|choice| *choice == plain).or_else(|| field.choices.iter().find(is)).cloned()
        }
        FieldType::Party => names.read(plain),
        FieldType::List | FieldType::Group => None,
    };
    let read = read.ok_or_else(|| field.expected())?;
    let strict = matches!(field.kind, FieldType::Date | FieldType::Time | FieldType::Choice);
    let value = Value::from(read.as_str());
    let again = write(field, &value, names);
    if strict && again != text && read != plain {
        *note = Some(format!("`{plain}` was taken as {again}"));
    }
    Ok(Some(value))
}

/// `5000`, `5 000 km`, `5,000`: the unit is the field's, thousands may be set apart.
fn integer(text: &str, unit: Option<&str>, note: &mut Option<String>) -> Option<i64> {
    let end = text.rfind(|c: char| c.is_ascii_digit())? + 1;
    let (number, rest) = (&text[..end], text[end..].trim());
    let is_unit = |unit: &str| strip_words(rest, unit).is_some_and(str::is_empty);
    if !rest.is_empty() && !unit.is_some_and(is_unit) {
        return None;
    }
    let mut groups = number.split([' ', ',', '\'', '’', '\u{a0}', '\u{202f}']);
    let mut digits = groups.next()?.to_owned();
    for group in groups {
        let of_three = group.len() == 3 && digits.trim_start_matches('-').len() <= 15 && digits != "-";
        if !of_three {
            return None;
        }
        digits.push_str(group);
        *note = Some(format!("`{number}` was taken as {digits}"));
    }
    digits.parse().ok()
}

const MONTHS: [&str; 12] = [
    "JANUARY",
    "FEBRUARY",
    "MARCH",
    "APRIL",
    "MAY",
    "JUNE",
    "JULY",
    "AUGUST",
    "SEPTEMBER",
    "OCTOBER",
    "NOVEMBER",
    "DECEMBER",
];

/// A month by its English name or its first three letters.
fn month(text: &str) -> Option<usize> {
    let upper = text.trim_end_matches('.').to_uppercase();
    let is = |name: &&str| *name == upper || (upper.len() >= 3 && name.starts_with(&upper));
    MONTHS.iter().position(is).map(|at| at + 1)
}

/// `2021-12-18`, `18 December 2021`, `18 DEC 2021`, `18.12.2021`. A day with two slashes could be read two ways.
fn date(text: &str) -> Option<String> {
    let parts: Vec<_> = text.split(|c: char| c.is_whitespace() || c == ',').filter(|part| !part.is_empty()).collect();
    let (year, month, day) = match parts.as_slice() {
        [one] if one.matches('.').count() == 2 => {
            let parts: Vec<_> = one.split('.').collect();
            (*parts.get(2)?, number(parts.get(1)?)?, *parts.first()?)
        }
        [one] => {
            let parts: Vec<_> = one.split('-').collect();
            let [year, month, day] = parts.as_slice() else { return None };
            (*year, number(month)?, *day)
        }
        [day, name, year] => (*year, month(name)?, *day),
        _ => return None,
    };
    let day = number(day)?;
    let text = (year.len() == 4).then(|| format!("{:04}-{month:02}-{day:02}", number(year).unwrap_or(0)))?;
    Timestamp::parse(&format!("{text}T00:00:00Z")).map(|_| text)
}

fn number(text: &str) -> Option<usize> {
    let plain = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// A moment: `2021-06-18 09:00:00 UTC`, the same with `T`, without seconds, with `Z` or an offset; `180900Z JUN 2021`.
/// `Err` if there is a moment, but no zone that says which.
pub(super) fn time(text: &str) -> Result<Option<Timestamp>, String> {
    let upper = text.trim().to_uppercase();
    if let Some(time) = group(&upper)? {
        return Ok(Some(time));
    }
    let body = ["UTC", "GMT", "Z"].into_iter().find_map(|zone| upper.strip_suffix(zone)).map(str::trim_end);
    let (clock, zone) = match body {
        Some(clock) => (clock, "Z"),
        None => match upper.rfind(['+', '-']).filter(|at| *at > 10) {
            Some(at) => (upper[..at].trim_end(), &upper[at..]),
            None => (upper.as_str(), ""),
        },
    };
    let Some((day, clock)) = clock.split_once(['T', ' ']) else { return Ok(None) };
    let Some(day) = date(day) else { return Ok(None) };
    let clock = clock.trim();
    let seconds = if clock.len() == 5 { ":00" } else { "" };
    if zone.is_empty() {
        let known = Timestamp::parse(&format!("{day}T{clock}{seconds}Z")).is_some();
        return if known { Err("a time with its zone, as 2021-06-18 09:00:00 UTC".into()) } else { Ok(None) };
    }
    Ok(moment(&format!("{day}T{clock}{seconds}{zone}")))
}

/// A date-time group: day, hour and minute, zone letter, month, year.
fn group(upper: &str) -> Result<Option<Timestamp>, String> {
    let parts: Vec<_> = upper.split_whitespace().collect();
    let (when, name, year) = match parts.as_slice() {
        [when, name, year] => (*when, *name, *year),
        _ => return Ok(None),
    };
    let (Some(digits), Some(letter)) = (when.get(..6), when.get(6..)) else { return Ok(None) };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    let Some(month) = month(name) else { return Ok(None) };
    if letter != "Z" {
        return Err("a date-time group in zone Z, as 180900Z JUN 2021".into());
    }
    let mut text = String::new();
    let century = if year.len() == 2 { "20" } else { "" };
    let (day, hour, minute) = (&digits[..2], &digits[2..4], &digits[4..]);
    let _ = write!(text, "{century}{year}-{month:02}-{day}T{hour}:{minute}:00Z");
    Ok(Timestamp::parse(&text))
}

/// A moment in RFC 3339 with any offset, to the second.
fn moment(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    let seconds = u64::try_from(time.as_second()).ok().filter(|_| time.subsec_nanosecond() == 0)?;
    Some(Timestamp::from_posix(seconds)).filter(|time| time.posix() == seconds)
}
