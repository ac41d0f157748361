//! Calendar arithmetic as treaties count: hours, days, calendar months; forwards and backwards; in a time zone.
//!
//! - Hours are 3,600 seconds each, whatever clocks are set to in between.
//! - Days, weeks, months and years are counted on the calendar of the zone, from the day of the event. That day does
//!   not count, unless the counting is inclusive: then the last day is one day nearer.
//! - A month later is the same day of the later month, or its last day where it has no such day: 31 August and 6
//!   months is 28 or 29 February.
//! - A day begins at its first moment in the zone, which is not always 00:00.

use jiff::Span;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Timestamp;
use super::profile::{Count, Counting, Ends, Unit};

/// The times that are computed, for people: [`Timestamp`]'s, with room for the end of a day.
pub const RANGE: &str = "1 January 1970 to 30 December 9998";

/// What a time is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A moment.
    Moment(Timestamp),
    /// A day without a clock time.
    Day(Date),
}

/// How a length of time is counted.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Whether the day of the event counts.
    pub counting: Counting,
    /// Which moment of the last day it is. Hours end to the second.
    pub ends: Ends,
    /// Whose calendar.
    pub zone: TimeZone,
    /// Back from the event.
    pub back: bool,
}

/// Where a length of time ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The moment. With [`Ends::EndOfDay`] the first moment of the day after.
    pub at: Timestamp,
    /// The last day.
    pub day: Date,
    /// The month has no such day, and its last day counts.
    pub clamped: bool,
}

/// A zone by its IANA name; UTC for none. The zones' rules come with the program, so that all nodes count alike.
pub fn zone(name: Option<&str>) -> TimeZone {
    // A profile with an unknown zone was refused.
    name.map_or(TimeZone::UTC, |name| TimeZone::get(name).unwrap_or(TimeZone::UTC))
}

/// The day of a moment on a zone's calendar.
pub fn day_of(time: Timestamp, zone: &TimeZone) -> Option<Date> {
    let seconds = i64::try_from(time.posix()).ok()?;
    Some(zone.to_datetime(jiff::Timestamp::from_second(seconds).ok()?).date())
}

/// The first moment of a day. `None` outside of the years of [`Timestamp`].
pub fn start_of_day(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    at_clock(day, 0, zone)
}

/// A clock time of a day, in seconds after 00:00; where it does not exist, as much later as clocks were set forward.
fn at_clock(day: Date, seconds: i64, zone: &TimeZone) -> Option<Timestamp> {
    let time = day.at(0, 0, 0, 0).checked_add(Span::new().try_seconds(seconds).ok()?).ok()?;
    let moment = zone.to_zoned_datetime(time).ok()?.timestamp().as_second();
    of_posix(moment)
}

fn of_posix(seconds: i64) -> Option<Timestamp> {
    let seconds = u64::try_from(seconds).ok()?;
    Some(Timestamp::from_posix(seconds)).filter(|time| time.posix() == seconds)
}

impl Event {
    /// The moment; of a day its first one.
    pub fn moment(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Moment(time) => Some(time),
            Self::Day(day) => start_of_day(day, zone),
        }
    }

    /// The day on a zone's calendar.
    pub fn day(self, zone: &TimeZone) -> Option<Date> {
        match self {
            Self::Moment(time) => day_of(time, zone),
            Self::Day(day) => Some(day),
        }
    }
}

/// Where a length of time ends that is counted from an event; `None` past the years of [`Timestamp`].
pub fn end(event: Event, count: Count, manner: &Manner) -> Option<End> {
    let zone = &manner.zone;
    let n = i64::from(count.n) * if manner.back { -1 } else { 1 };
    if count.unit == Unit::Hour {
        let start = i64::try_from(event.moment(zone)?.posix()).ok()?;
        let at = of_posix(start.checked_add(n.checked_mul(3600)?)?)?;
        return Some(End { at, day: day_of(at, zone)?, clamped: false });
    }
    let first = event.day(zone)?;
    let span = match count.unit {
        Unit::Hour | Unit::Day => Span::new().try_days(n),
        Unit::Week => Span::new().try_weeks(n),
        Unit::Month => Span::new().try_months(n),
        Unit::Year => Span::new().try_years(n),
    };
    let mut day = first.checked_add(span.ok()?).ok()?;
    let clamped = matches!(count.unit, Unit::Month | Unit::Year) && day.day() != first.day();
    if manner.counting == Counting::Inclusive && n != 0 {
        day = if manner.back { day.tomorrow().ok()? } else { day.yesterday().ok()? };
    }
    let at = match manner.ends {
        Ends::StartOfDay => start_of_day(day, zone)?,
        Ends::EndOfDay => start_of_day(day.tomorrow().ok()?, zone)?,
        Ends::Moment => {
            let clock = match event {
                Event::Day(_) => 0,
                Event::Moment(time) => {
                    let stamp = jiff::Timestamp::from_second(i64::try_from(time.posix()).ok()?).ok()?;
                    let clock = zone.to_datetime(stamp).time();
                    i64::from(clock.hour()) * 3600 + i64::from(clock.minute()) * 60 + i64::from(clock.second())
                }
            };
            at_clock(day, clock, zone)?
        }
    };
    Some(End { at, day, clamped })
}

/// How long something is, for people: `3 h 12 min`, `5 days`.
pub fn length(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds % 86_400 / 3600, seconds % 3600 / 60);
    let days_word = if days == 1 { "day" } else { "days" };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} {days_word}"),
        (days, hours, _) => format!("{days} {days_word} {hours} h"),
    }
}
