//! The arithmetic against another calendar library: chrono and its zones.

use chrono::{Days, Duration, LocalResult, Months, NaiveDate, NaiveTime, TimeZone as _};
use chrono_tz::Tz;
use proptest::prelude::*;
use verbale::law::calendar::{Event, Manner, end, start_of_day, zone};
use verbale::ledger::Timestamp;
use verbale::ledger::profile::{Count, Counting, Ends, Unit};

const ZONES: [&str; 10] = [
    "UTC",
    "Europe/Vienna",
    "Europe/Moscow",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/St_Johns",
];

/// The first moment at or after a clock time of a day, found by looking at every minute.
fn first_at(tz: Tz, day: NaiveDate, clock: NaiveTime) -> i64 {
    let wanted = day.and_time(clock);
    match tz.from_local_datetime(&wanted) {
        LocalResult::Single(at) => at.timestamp(),
        LocalResult::Ambiguous(first, _) => first.timestamp(),
        LocalResult::None => {
            // As much later as the clocks were set forward: the offset before the gap applies.
            let before = (1..=48).find_map(|hours| {
                tz.from_local_datetime(&(wanted - Duration::hours(hours))).latest().map(|at| (hours, at))
            });
            let (hours, at) = before.unwrap();
            at.timestamp() + hours * 3600
        }
    }
}

fn expected(tz: Tz, start: i64, n: u32, unit: Unit, counting: Counting, ends: Ends, back: bool) -> Option<i64> {
    let sign = if back { -1 } else { 1 };
    if unit == Unit::Hour {
        return Some(start + sign * i64::from(n) * 3600);
    }
    let local = tz.timestamp_opt(start, 0).unwrap().naive_local();
    let (first, clock) = (local.date(), local.time());
    let months =
        |n: u32| if back { first.checked_sub_months(Months::new(n)) } else { first.checked_add_months(Months::new(n)) };
    let days = |n: u64| if back { first.checked_sub_days(Days::new(n)) } else { first.checked_add_days(Days::new(n)) };
    let mut day = match unit {
        Unit::Hour | Unit::Day => days(u64::from(n)),
        Unit::Week => days(u64::from(n) * 7),
        Unit::Month => months(n),
        Unit::Year => months(n * 12),
    }?;
    if counting == Counting::Inclusive && n > 0 {
        day = if back { day.succ_opt()? } else { day.pred_opt()? };
    }
    Some(match ends {
        Ends::StartOfDay => first_at(tz, day, NaiveTime::MIN),
        Ends::EndOfDay => first_at(tz, day.succ_opt()?, NaiveTime::MIN),
        Ends::Moment => first_at(tz, day, clock),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, max_global_rejects: 100_000, ..ProptestConfig::default() })]
    #[test]
    fn every_count_is_that_of_another_library(
        // 1992 to 2025: the years in which treaties of today have counted, with all their changes of clocks.
        start in 694_224_000i64..1_760_000_000,
        n in 0u32..400,
        unit in prop::sample::select(vec![Unit::Hour, Unit::Day, Unit::Week, Unit::Month, Unit::Year]),
        inclusive in any::<bool>(),
        ends in prop::sample::select(vec![Ends::StartOfDay, Ends::EndOfDay, Ends::Moment]),
        back in any::<bool>(),
        name in prop::sample::select(ZONES.to_vec()),
    ) {
        let n = if unit == Unit::Year { n % 9 } else if unit == Unit::Month { n % 100 } else { n };
        let counting = if inclusive { Counting::Inclusive } else { Counting::Exclusive };
        let tz: Tz = name.parse().unwrap();
        let manner = Manner { counting, ends, zone: zone(Some(name)), back };
        let event = Event::Moment(Timestamp::from_posix(start as u64));
        let found = end(event, Count { n, unit }, &manner).map(|end| end.at.posix() as i64);
        // The libraries carry the zones' rules of different releases: only what both know as settled is compared.
        let expected = expected(tz, start, n, unit, counting, ends, back);
        prop_assume!(expected.is_some_and(|at| (600_000_000..1_760_000_000).contains(&at)));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_day_begins_at_its_first_moment(days in 0i64..12_000, name in prop::sample::select(ZONES.to_vec())) {
        let day = jiff::civil::date(1993, 1, 1) + jiff::Span::new().days(days);
        let tz: Tz = name.parse().unwrap();
        let at = start_of_day(day, &zone(Some(name))).unwrap().posix() as i64;
        let local = |at: i64| tz.timestamp_opt(at, 0).unwrap().date_naive().to_string();
        // Apia had no 30 December 2011.
        prop_assume!(local(at) == day.to_string());
        prop_assert!(local(at - 1) < day.to_string());
    }
}

#[test]
fn month_ends_leap_days_and_days_without_midnight() {
    let count = |start: &str, text: &str, name: &str| {
        let manner =
            Manner { counting: Counting::Exclusive, ends: Ends::StartOfDay, zone: zone(Some(name)), back: false };
        let found = end(Event::Moment(Timestamp::parse(start).unwrap()), Count::parse(text).unwrap(), &manner).unwrap();
        (found.at.to_string(), found.clamped)
    };
    let at = |text: &str, clamped| (text.to_owned(), clamped);
    assert_eq!(count("2021-08-31T12:00:00Z", "6 months", "UTC"), at("2022-02-28T00:00:00Z", true));
    assert_eq!(count("2023-08-31T12:00:00Z", "6 months", "UTC"), at("2024-02-29T00:00:00Z", true));
    assert_eq!(count("2020-02-29T12:00:00Z", "1 year", "UTC"), at("2021-02-28T00:00:00Z", true));
    assert_eq!(count("2020-02-28T12:00:00Z", "12 months", "UTC"), at("2021-02-28T00:00:00Z", false));
    // 4 November 2018 began at 01:00 in São Paulo.
    assert_eq!(count("2018-11-03T12:00:00Z", "1 day", "America/Sao_Paulo"), at("2018-11-04T03:00:00Z", false));
    // Past the years of a time there is no answer, and no panic.
    let manner = Manner { counting: Counting::Exclusive, ends: Ends::EndOfDay, zone: zone(None), back: true };
    for longest in ["876600 hours", "36525 days", "5218 weeks", "1200 months", "100 years"] {
        let count = Count::parse(longest).unwrap();
        for back in [false, true] {
            end(Event::Moment(Timestamp::from_posix(0)), count, &Manner { back, ..manner.clone() });
            end(Event::Moment(Timestamp::from_posix(u64::MAX)), count, &Manner { back, ..manner.clone() });
        }
    }
    assert_eq!(end(Event::Moment(Timestamp::from_posix(0)), Count::parse("1 hour").unwrap(), &manner), None);
}
