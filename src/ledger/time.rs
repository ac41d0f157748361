//! Times in signed text: RFC 3339 in UTC, to the second.

use std::fmt;

/// A moment, in POSIX seconds; from the year 1970 to the end of 9998.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

/// 9998-12-31T23:59:59Z. Calendar libraries do not agree on the last day of 9999, which depends on their time zones.
const LAST: u64 = 253_370_764_799;

impl Timestamp {
    /// From POSIX seconds; past the year 9998 it stays at its end.
    pub fn from_posix(seconds: u64) -> Self {
        Self(seconds.min(LAST))
    }

    /// POSIX seconds.
    pub fn posix(self) -> u64 {
        self.0
    }

    /// Reads exactly the form `2021-06-18T09:00:00Z`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 20 || !text.ends_with('Z') {
            return None;
        }
        let seconds = u64::try_from(text.parse::<jiff::Timestamp>().ok()?.as_second()).ok()?;
        let time = (seconds <= LAST).then_some(Self(seconds))?;
        // What reads but prints otherwise (a leap second, a lower-case letter) is not the canonical form.
        (time.to_string() == text).then_some(time)
    }

    /// For people: `2021-06-18 09:00:00 UTC`.
    pub fn display(self) -> String {
        self.civil().strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
    }

    fn civil(self) -> jiff::Timestamp {
        // In range by construction: 0 to the end of 9998.
        jiff::Timestamp::from_second(self.0 as i64).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.civil().strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected a time as 2021-06-18T09:00:00Z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_read() {
        assert_eq!(Timestamp::parse("1970-01-01T00:00:00Z"), Some(Timestamp(0)));
        assert_eq!(Timestamp::parse("9998-12-31T23:59:59Z"), Some(Timestamp(LAST)));
        let time = Timestamp::parse("2021-06-18T09:00:00Z").unwrap();
        assert_eq!(time.to_string(), "2021-06-18T09:00:00Z");
        assert_eq!(time.display(), "2021-06-18 09:00:00 UTC");
        for text in [
            "2021-06-18T09:00:60Z",
            "2021-06-18 09:00:00Z",
            "2021-06-18t09:00:00z",
            "2021-02-30T09:00:00Z",
            "2021-06-18T09:00:00+",
            "1969-12-31T23:59:59Z",
            "2021-06-18T09:00Z",
            "",
            "2021-06-18T24:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }
}
