//! A timeline drawn with characters: a scale, and below it a line for each thing, as a point or as a bar.

use jiff::civil::Date;
use jiff::{Span, ToSpan};

use crate::ledger::Timestamp;

/// Least room for the drawing beside the words, in columns.
const MIN_CHART: usize = 24;
/// Most room for the words.
const MAX_WORDS: usize = 56;

/// One line of the drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// What it is.
    pub words: String,
    /// Where on the scale.
    pub shape: Shape,
    /// What is to be read beside it.
    pub after: String,
}

/// What stands on the scale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A moment, and its sign.
    Point(Timestamp, char),
    /// From a moment to another, with moments in between or beside.
    Bar {
        /// Its beginning.
        from: Timestamp,
        /// Its end.
        until: Timestamp,
        /// Moments on it.
        marks: Vec<(Timestamp, char)>,
    },
}

impl Shape {
    fn moments(&self) -> Vec<Timestamp> {
        match self {
            Self::Point(at, _) => vec![*at],
            Self::Bar { from, until, marks } => {
                [*from, *until].into_iter().chain(marks.iter().map(|(at, _)| *at)).collect()
            }
        }
    }
}

/// Draws lanes into so many columns; the first line is the scale. `now` is drawn through all of them, if it is on the
/// scale.
pub fn draw(lanes: &[Lane], now: Option<Timestamp>, width: usize) -> Vec<String> {
    let moments: Vec<_> = lanes.iter().flat_map(|lane| lane.shape.moments()).collect();
    let (Some(first), Some(last)) = (moments.iter().min(), moments.iter().max()) else {
        return lanes.iter().map(|lane| lane.words.clone()).collect();
    };
    let longest = lanes.iter().map(|lane| lane.words.chars().count()).max().unwrap_or(0).min(MAX_WORDS);
    let words = longest.min(width.saturating_sub(MIN_CHART + 2));
    let scale = Scale::new(*first, *last, width.saturating_sub(words + 2).max(MIN_CHART));
    let mut lines = vec![format!("{:words$}  {}", "", scale.axis())];
    for lane in lanes {
        let mut row = scale.row(&lane.shape, now);
        // What is to be read stands behind the drawing where there is room, else on a line of its own below it.
        let end = row.iter().rposition(|c| *c != ' ' && *c != NOW).map_or(0, |at| at + 1);
        let after: Vec<char> = lane.after.chars().collect();
        let mut below = None;
        if !after.is_empty() {
            let from = end + usize::from(end > 0);
            if from + after.len() <= row.len() {
                row.splice(from..from + after.len(), after);
            } else {
                let start = row.len().saturating_sub(after.len());
                below = Some(format!("{:words$}  {:start$}{}", "", "", lane.after));
            }
        }
        let text: String = row.into_iter().collect();
        lines.push(format!("{:words$}  {}", cut(&lane.words, words), text.trim_end()));
        lines.extend(below);
    }
    lines
}

/// What stands for the moment asked about.
const NOW: char = '┊';

fn cut(text: &str, to: usize) -> String {
    if text.chars().count() <= to {
        return text.to_owned();
    }
    text.chars().take(to.saturating_sub(1)).chain(['…']).collect()
}

/// From moments to columns.
struct Scale {
    from: u64,
    until: u64,
    columns: usize,
}

impl Scale {
    fn new(first: Timestamp, last: Timestamp, columns: usize) -> Self {
        // A little air on both sides, and never a scale without extent.
        let air = ((last.posix() - first.posix()) / 50).max(60);
        Self { from: first.posix().saturating_sub(air), until: last.posix() + air, columns }
    }

    fn column(&self, at: Timestamp) -> usize {
        let whole = u128::from(self.until - self.from);
        let part = u128::from(at.posix().clamp(self.from, self.until) - self.from);
        // Below the number of columns, which is one of this machine's.
        usize::try_from(part * (self.columns as u128 - 1) / whole).unwrap_or(0)
    }

    fn row(&self, shape: &Shape, now: Option<Timestamp>) -> Vec<char> {
        let mut row = vec![' '; self.columns];
        if let Some(now) = now.filter(|now| (self.from..=self.until).contains(&now.posix())) {
            row[self.column(now)] = NOW;
        }
        match shape {
            Shape::Point(at, sign) => row[self.column(*at)] = *sign,
            Shape::Bar { from, until, marks } => {
                let (from, until) = (self.column(*from), self.column(*until));
                row[from..=until.max(from)].fill('─');
                row[until.max(from)] = '┤';
                row[from] = '├';
                marks.iter().for_each(|(at, sign)| row[self.column(*at)] = *sign);
            }
        }
        row
    }

    /// The scale in years, months, days or hours, as many as there is room for.
    fn axis(&self) -> String {
        let mut row = vec![' '; self.columns];
        let mut free = 0;
        for (at, name) in self.ticks() {
            let column = self.column(at);
            let name: Vec<char> = format!("│{name}").chars().collect();
            if column >= free && column + name.len() <= row.len() {
                row.splice(column..column + name.len(), name.iter().copied());
                free = column + name.len() + 1;
            }
        }
        row.into_iter().collect::<String>().trim_end().to_owned()
    }

    fn ticks(&self) -> Vec<(Timestamp, String)> {
        const DAY: u64 = 86_400;
        let whole = self.until - self.from;
        let start = |at: u64| {
            let text = Timestamp::from_posix(at).to_string();
            text[..10].parse::<Date>().unwrap_or_default()
        };
        let day = start(self.from);
        let (mut at, step, form): (Date, Span, &str) = match whole {
            w if w > 3 * 366 * DAY => (day.first_of_year(), 1.year(), "%Y"),
            w if w > 40 * DAY => (day.first_of_month(), 1.month(), "%b %Y"),
            w if w > 3 * DAY => (day, 1.day(), "%-d %b"),
            _ => return self.hours(),
        };
        let mut ticks = Vec::new();
        while let Some(tick) = midnight(at).filter(|tick| tick.posix() <= self.until) {
            if tick.posix() >= self.from {
                ticks.push((tick, at.strftime(form).to_string()));
            }
            match at.checked_add(step) {
                Ok(next) if next > at => at = next,
                _ => break,
            }
        }
        ticks
    }

    fn hours(&self) -> Vec<(Timestamp, String)> {
        let mut ticks = Vec::new();
        let mut at = self.from.div_ceil(3_600) * 3_600;
        while at <= self.until {
            let text = Timestamp::from_posix(at).display();
            // The day where it begins, the hour else; all in UTC.
            let name = if text[11..13] == *"00" { text[5..10].to_owned() } else { text[11..16].to_owned() };
            ticks.push((Timestamp::from_posix(at), name));
            at += 3_600;
        }
        ticks
    }
}

fn midnight(day: Date) -> Option<Timestamp> {
    Timestamp::parse(&format!("{}T00:00:00Z", day.strftime("%Y-%m-%d")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn lanes() -> Vec<Lane> {
        let lane = |words: &str, shape, after: &str| Lane { words: words.into(), shape, after: after.into() };
        vec![
            lane("announced", Shape::Point(at("2020-05-21T16:00:00Z"), '○'), "21 May"),
            lane("notice", Shape::Point(at("2020-05-22T14:00:00Z"), '●'), ""),
            lane(
                "conference",
                Shape::Bar {
                    from: at("2020-06-21T00:00:00Z"),
                    until: at("2020-07-21T23:59:59Z"),
                    marks: vec![(at("2020-07-06T08:00:00Z"), '◆')],
                },
                "6 Jul",
            ),
            lane(
                "six months",
                Shape::Bar { from: at("2020-05-22T14:00:00Z"), until: at("2020-11-22T00:00:00Z"), marks: vec![] },
                "22 November 2020",
            ),
        ]
    }

    #[test]
    fn bars_and_points_stand_where_the_scale_has_their_days() {
        let lines = draw(&lanes(), Some(at("2020-08-01T00:00:00Z")), 80);
        let expected = "\
            2020      │Jul 2020  │Aug 2020";
        assert!(lines[0].contains("│Jun 2020"), "{lines:#?} {expected}");
        let column = |line: &str, sign: char| line.chars().position(|c| c == sign);
        let july = lines[0].chars().collect::<String>().find("│Jul").map(|at| lines[0][..at].chars().count());
        let (conference, jul) = (&lines[3], july.unwrap());
        let (from, until) = (column(conference, '├').unwrap(), column(conference, '┤').unwrap());
        assert!(from < jul && jul < until, "{lines:#?}");
        assert!(column(conference, '◆').is_some_and(|d| from < d && d < until && d > jul));
        assert!(lines.iter().skip(1).take(2).all(|line| line.contains('┊')), "{lines:#?}");
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
        assert!(lines.last().unwrap().ends_with("22 November 2020"));
    }

    #[test]
    fn every_width_and_every_extent_can_be_drawn() {
        for width in [0, 1, 20, 33, 80, 400] {
            for until in
                ["2020-05-22T14:00:00Z", "2020-05-22T15:00:00Z", "2020-05-29T14:00:00Z", "9998-12-31T23:59:59Z"]
            {
                let bar = Shape::Bar { from: at("2020-05-22T14:00:00Z"), until: at(until), marks: vec![] };
                let lane = Lane { words: "x".repeat(90), shape: bar, after: "y".repeat(30) };
                let lines = draw(&[lane], None, width);
                assert!(lines.len() >= 2 && lines[1].contains('├'), "{width} {until}: {lines:#?}");
            }
        }
        assert!(draw(&[], None, 80).is_empty());
        let early = Shape::Point(Timestamp::from_posix(0), '●');
        assert_eq!(draw(&[Lane { words: "first".into(), shape: early, after: String::new() }], None, 60).len(), 2);
    }
}
