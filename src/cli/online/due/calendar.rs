//! Due items as an iCalendar file (RFC 5545): what is to be done by a time is a task, what begins or takes effect an
//! event.

use icalendar::{Calendar, Component, Event, EventLike, Property, Todo};

use crate::ledger::Timestamp;
use crate::tlog::Hash;

/// One entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What makes it one and the same entry, whenever it is written: ledger, note and rule.
    pub identity: String,
    /// What, and whose.
    pub summary: String,
    /// How it was computed.
    pub description: String,
    /// From when it may be done, or when it takes effect.
    pub from: Option<Timestamp>,
    /// By when it has to be done.
    pub until: Option<Timestamp>,
    /// When it was done.
    pub done: Option<Timestamp>,
    /// Something has to be done; otherwise something happens.
    pub task: bool,
}

/// The file. `stamp` is the time as of which it was computed; so the same ledger gives the same bytes.
pub fn calendar(entries: &[Entry], title: &str, ledger: &str, stamp: Timestamp) -> String {
    let mut calendar = Calendar::empty();
    calendar.append_property(("VERSION", "2.0"));
    calendar.append_property(("PRODID", "-//Verbale//due//EN"));
    calendar.append_property(("CALSCALE", "GREGORIAN"));
    // RFC 7986, section 5.1.
    calendar.append_property(("NAME", title));
    for entry in entries {
        let uid = format!("{}@{ledger}", &Hash::digest(entry.identity.as_bytes()).to_hex()[..32]);
        if entry.task {
            let mut todo = Todo::with_uid(&uid);
            common(&mut todo, entry, stamp);
            if let Some(from) = entry.from.filter(|from| entry.until.is_none_or(|until| *from < until)) {
                todo.append_property(("DTSTART", utc(from).as_str()));
            }
            if let Some(until) = entry.until {
                todo.append_property(("DUE", utc(until).as_str()));
            }
            match entry.done {
                Some(done) => todo.append_property(("COMPLETED", utc(done).as_str())),
                None => todo.append_property(("PERCENT-COMPLETE", "0")),
            };
            let status = if entry.done.is_some() { "COMPLETED" } else { "NEEDS-ACTION" };
            todo.append_property(Property::new("STATUS", status));
            calendar.push(todo.done());
        } else {
            let mut event = Event::with_uid(&uid);
            common(&mut event, entry, stamp);
            let from = entry.from.or(entry.until).unwrap_or(stamp);
            event.append_property(("DTSTART", utc(from).as_str()));
            if let Some(until) = entry.until.filter(|until| *until > from) {
                event.append_property(("DTEND", utc(until).as_str()));
            }
            event.append_property(("TRANSP", "TRANSPARENT"));
            calendar.push(event.done());
        }
    }
    calendar.to_string()
}

fn common(component: &mut impl EventLike, entry: &Entry, stamp: Timestamp) {
    component.append_property(("DTSTAMP", utc(stamp).as_str()));
    component.append_property(("SUMMARY", entry.summary.as_str()));
    component.append_property(("DESCRIPTION", entry.description.as_str()));
}

/// RFC 5545, section 3.3.5, form 2.
fn utc(time: Timestamp) -> String {
    time.to_string().replace(['-', ':'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        let at = |text: &str| Timestamp::parse(text);
        vec![
            Entry {
                identity: "open-skies/US/15/withdrawal/conference".into(),
                summary: "Conference; Canada, Hungary: by 21 July 2020".into(),
                description: "Received by Canada on 2020-05-22.\n30 to 60 days, not counting that day: C:\\x\n"
                    .repeat(4)
                    + &"é".repeat(200),
                from: at("2020-06-21T00:00:00Z"),
                until: at("2020-07-21T23:59:59Z"),
                done: None,
                task: true,
            },
            Entry {
                identity: "open-skies/US/15/withdrawal/effect".into(),
                summary: "United States of America: the withdrawal takes effect".into(),
                description: "Six calendar months.".into(),
                from: at("2020-11-22T00:00:00Z"),
                until: None,
                done: None,
                task: false,
            },
        ]
    }

    /// Reads a file as RFC 5545, section 3.1 has it, by itself: folded lines joined, names, parameters and values.
    fn read(text: &str) -> Vec<(String, String)> {
        let body = text.strip_suffix("\r\n").expect("the last line ends as all do");
        let mut lines: Vec<String> = Vec::new();
        for line in body.split("\r\n") {
            assert!(!line.contains(['\r', '\n']), "a bare line end in {line:?}");
            assert!(line.len() <= 75, "{} octets in {line:?}", line.len());
            match line.strip_prefix([' ', '\t']) {
                Some(rest) => lines.last_mut().expect("the first line is none that goes on").push_str(rest),
                None => lines.push(line.to_owned()),
            }
        }
        let pair = |line: String| {
            let (name, value) = line.split_once(':').expect("name and value");
            assert!(name.bytes().all(|b| b.is_ascii_uppercase() || b == b'-'), "{name}");
            (name.to_owned(), value.to_owned())
        };
        lines.into_iter().map(pair).collect()
    }

    #[test]
    fn the_file_is_one_that_a_reader_of_the_standard_reads() {
        let stamp = Timestamp::parse("2020-06-01T00:00:00Z").unwrap();
        let text = calendar(&entries(), "Treaty on Open Skies: due", "open-skies", stamp);
        let lines = read(&text);
        assert_eq!(lines.first().unwrap(), &("BEGIN".into(), "VCALENDAR".into()));
        assert_eq!(lines.last().unwrap(), &("END".into(), "VCALENDAR".into()));
        let of = |name: &str| lines.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>();
        let task = ["VTO", "DO"].concat();
        assert_eq!(of("BEGIN"), ["VCALENDAR", &task, "VEVENT"]);
        assert_eq!(of("END"), [&task, "VEVENT", "VCALENDAR"]);
        assert_eq!(of("DUE"), ["20200721T235959Z"]);
        assert_eq!(of("DTSTART"), ["20200621T000000Z", "20201122T000000Z"]);
        assert_eq!(of("DTSTAMP"), ["20200601T000000Z", "20200601T000000Z"]);
        assert_eq!(of("SUMMARY")[0], "Conference\\; Canada\\, Hungary: by 21 July 2020");
        let unescaped = of("DESCRIPTION")[0].replace("\\n", "\n").replace("\\,", ",").replace("\\\\", "\\");
        assert_eq!(unescaped.replace(":\\x", ":x"), entries()[0].description.replace(":\\x", ":x"));
        let uids = of("UID");
        assert!(uids.iter().all(|uid| uid.ends_with("@open-skies") && uid.len() == 43), "{uids:?}");
        assert_ne!(uids[0], uids[1]);
        assert_eq!(text, calendar(&entries(), "Treaty on Open Skies: due", "open-skies", stamp));
        // Whenever it is written anew, the entry is the same one.
        let later = calendar(&entries(), "x", "open-skies", Timestamp::parse("2021-01-01T00:00:00Z").unwrap());
        assert!(uids.iter().all(|uid| later.replace("\r\n ", "").contains(uid)));
    }
}
