//! Whether there is time between two bounds, from whatever day they are counted.
//!
//! Days and months have no fixed ratio, and neither have hours and days where clocks are changed: a window of one month at
//! the latest and 30 days at the earliest is open after most days of a year, and not after 31 January.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::clock::{Count, Counting, Ends, Unit};
use crate::ledger::Timestamp;
use crate::ledger::calendar::{Event, Manner, end, start_of_day};

/// Days that are tried: four years, of which one has a leap day, and each change of clocks in them.
const FIRST: Date = jiff::civil::date(2027, 1, 1);
const DAYS: i32 = 4 * 365 + 1;

/// A day from which a window has closed before it opens, and when it would do both.
pub(super) type Shut = (Date, Timestamp, Timestamp);

/// How both bounds are counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bounds {
    /// Not before so long after the start.
    pub first: Length,
    /// Not later than so long after it.
    pub last: Length,
    pub inclusive: bool,
    /// Which moment of the last day it is: 0 its beginning, 1 the clock time of the start, 2 its end.
    pub ends: u8,
    pub zone: Option<String>,
}

/// A length of time that can be put in order.
type Length = (u8, u32);

impl Bounds {
    pub fn new(first: Count, last: Count, counting: Counting, ends: Ends, zone: Option<&str>) -> Self {
        let ends = match ends {
            Ends::StartOfDay => 0,
            Ends::Moment => 1,
            Ends::EndOfDay => 2,
        };
        let inclusive = counting == Counting::Inclusive;
        Self { first: length(first), last: length(last), inclusive, ends, zone: zone.map(str::to_owned) }
    }

    /// Whether the first end lies before the last one, whatever they are counted from: no day has to be tried.
    pub fn are_ordered(&self) -> bool {
        let ((kind, first), (other, last)) = (self.first, self.last);
        kind == other && first <= last || longest(self.first) < shortest(self.last)
    }

    /// The first of the days tried from which the window has closed before it opens.
    pub fn shut(&self) -> Option<Shut> {
        let zone = crate::ledger::calendar::zone(self.zone.as_deref());
        let mut day = FIRST;
        for _ in 0..DAYS {
            for start in starts(day, &zone) {
                if let Some((from, until)) = self.between(start, &zone).filter(|(from, until)| from > until) {
                    return Some((day, from, until));
                }
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    fn between(&self, start: Event, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let counting = if self.inclusive { Counting::Inclusive } else { Counting::Exclusive };
        let manner = |ends| Manner { counting, ends, zone: zone.clone(), back: false };
        let (opens, closes) = match self.ends {
            0 => (Ends::StartOfDay, Ends::StartOfDay),
            1 => (Ends::Moment, Ends::Moment),
            _ => (Ends::StartOfDay, Ends::EndOfDay),
        };
        let from = end(start, count(self.first), &manner(opens))?.at;
        let until = end(start, count(self.last), &manner(closes))?.at;
        // The last second of the day is in time.
        let inside = self.ends == 2 && self.last.0 > 0;
        Some((from, Timestamp::from_posix(until.posix().saturating_sub(u64::from(inside)))))
    }
}

/// A day by itself, and the moments of it that differ: its first, its middle, its last.
fn starts(day: Date, zone: &TimeZone) -> Vec<Event> {
    let edges = start_of_day(day, zone).zip(day.tomorrow().ok().and_then(|next| start_of_day(next, zone)));
    let moments = edges.map(|(first, next)| {
        let (first, next) = (first.posix(), next.posix());
        [first, first.midpoint(next), next - 1].map(|at| Event::Moment(Timestamp::from_posix(at)))
    });
    std::iter::once(Event::Day(day)).chain(moments.into_iter().flatten()).collect()
}

/// Hours, days and months: within each of these more is later.
fn length(count: Count) -> Length {
    match count.unit {
        Unit::Hour => (0, count.n),
        Unit::Day => (1, count.n),
        Unit::Week => (1, count.n * 7),
        Unit::Month => (2, count.n),
        Unit::Year => (2, count.n * 12),
    }
}

fn count((kind, n): Length) -> Count {
    let unit = match kind {
        0 => Unit::Hour,
        1 => Unit::Day,
        _ => Unit::Month,
    };
    Count { n, unit }
}

/// Hours that it has at least: with the first day counted, and a day that clocks make shorter.
fn shortest((kind, n): Length) -> u64 {
    let n = u64::from(n);
    match kind {
        0 => n,
        1 => (n * 24).saturating_sub(51),
        _ => (n * 28 * 24).saturating_sub(51),
    }
}

/// Hours that it has at most.
fn longest((kind, n): Length) -> u64 {
    let n = u64::from(n);
    match kind {
        0 => n,
        1 => n * 24 + 27,
        _ => n * 31 * 24 + 27,
    }
}
