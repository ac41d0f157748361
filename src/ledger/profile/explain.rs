//! A kind of note as plain law: who sends it, to whom, what it says, by when what is due, and what follows.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::address::{Address, Who};
use super::clock::{Counting, Due, Effect, Ends, Periodic, Point, Reading};
use super::ender::Ender;
use super::kind::{Kind, OneOf};
use super::start::{Nth, Start};
use super::{Field, FieldType, Profile};

/// A kind in sentences. Empty parts have nothing to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The kind's name.
    pub kind: String,
    /// Its title.
    pub title: String,
    /// Where the treaty speaks of it; may be empty.
    pub article: String,
    /// Who sends it, and how it is signed.
    pub who: Vec<String>,
    /// Whom it goes to.
    pub to: Vec<String>,
    /// What it says, and to what it refers.
    pub what: Vec<String>,
    /// What is due by when.
    pub when: Vec<String>,
    /// What follows.
    pub then: Vec<String>,
    /// What could not be checked against the treaty's text.
    pub unconfirmed: Vec<String>,
}

impl Profile {
    /// Explains a kind; `None` if the profile does not have it.
    pub fn explain(&self, name: &str) -> Option<Explained> {
        let kind = self.kind.get(name)?;
        let words = Words { profile: self, kind };
        let mut out = Explained {
            kind: name.to_owned(),
            title: kind.title.clone(),
            article: kind.article.clone(),
            who: words.senders(),
            to: words.addressees(),
            what: words.fields(),
            when: Vec::new(),
            then: words.follows(),
            unconfirmed: kind.unconfirmed.iter().map(|what| format!("{what}.")).collect(),
        };
        for due in &kind.due {
            out.when.extend(words.due(due));
            out.unconfirmed.extend(due.unconfirmed.iter().map(|what| format!("{}: {what}.", due.title)));
        }
        for effect in &kind.effect {
            out.then.extend(words.effect(effect));
            out.unconfirmed.extend(effect.unconfirmed.iter().map(|what| format!("{}: {what}.", effect.title)));
        }
        for rule in self.periodic.iter().filter(|rule| rule.answer.iter().any(|answer| answer == name)) {
            out.when.push(words.periodic(rule));
            out.unconfirmed.extend(rule.unconfirmed.iter().map(|what| format!("{}: {what}.", rule.title)));
        }
        if let Some(quota) = &self.quota {
            if quota.uses.iter().any(|used| used.kind == name) {
                out.then.push(format!("It is charged to the quotas of “{}”.", quota.title));
            }
            if quota.uncharged_by.iter().any(|ender| ender.kind == name) {
                out.then.push(format!("What it refers to is not charged to the quotas of “{}”.", quota.title));
            }
        }
        Some(out)
    }
}

struct Words<'a> {
    profile: &'a Profile,
    kind: &'a Kind,
}

impl Words<'_> {
    fn who(&self, address: &Address) -> String {
        match &address.who {
            Who::Field(name) => {
                let title = self.kind.field(name).map_or(name.as_str(), |field| field.title.as_str());
                format!("whom it names under “{title}”")
            }
            _ => address.describe(self.profile),
        }
    }

    fn all(&self, addresses: &[Address], and: &str) -> String {
        join(&addresses.iter().map(|address| self.who(address)).collect::<Vec<_>>(), and)
    }

    fn title(&self, kind: &str) -> String {
        format!("“{}”", self.profile.title_of(kind))
    }

    fn one_of(&self, one: &OneOf) -> String {
        join(&one.0.iter().map(|kind| self.title(kind)).collect::<Vec<_>>(), "or")
    }

    fn senders(&self) -> Vec<String> {
        let kind = self.kind;
        let mut out = vec![match kind.from.as_slice() {
            [] => "Any party sends it.".to_owned(),
            from => format!("It is sent by {}.", self.all(from, "or").replace("each ", "a ")),
        }];
        if kind.signatures > 1 {
            out.push(format!("{} officials sign it.", kind.signatures));
        }
        if let Some(field) = kind.behalf.as_ref().and_then(|name| kind.field(name)) {
            out.push(format!("A member of a group may send it for the group, which it names under “{}”.", field.title));
        }
        out
    }

    fn addressees(&self) -> Vec<String> {
        let mut out = Vec::new();
        if !self.kind.must_reach.is_empty() {
            out.push(format!("It has to reach {}.", self.all(&self.kind.must_reach, "and")));
        }
        out.push(match self.kind.to.as_slice() {
            [] => "Its sender names the addressees.".to_owned(),
            to => format!("It goes to {}, unless its sender names others.", self.all(to, "and")),
        });
        out
    }

    fn fields(&self) -> Vec<String> {
        let mut out = Vec::new();
        for one in &self.kind.after {
            out.push(format!("It refers to an earlier {}.", self.one_of(one)));
        }
        let list = |required: bool| {
            let fields = self.kind.fields.iter().filter(|field| field.required == required);
            fields.map(|field| self.field(field)).collect::<Vec<_>>()
        };
        for (what, fields) in [("It has to say", list(true)), ("It may say", list(false))] {
            out.extend(fields.into_iter().map(|field| format!("{what}: {field}.")));
        }
        out
    }

    fn field(&self, field: &Field) -> String {
        let inner: Vec<_> = field.fields.iter().map(|field| field.title.clone()).collect();
        let holds = match field.kind {
            FieldType::Group if field.repeatable => {
                let most = field.at_most.map_or(String::new(), |most| format!(", at most {most} of them"));
                format!("for each of them {}{most}", join(&inner, "and"))
            }
            FieldType::Group => join(&inner, "and"),
            _ => field.expected(),
        };
        let under = field.under.as_ref().map_or(String::new(), |under| format!("{under}, "));
        let confidential = if field.confidential { "; confidential: it goes in an encrypted attachment" } else { "" };
        let unconfirmed = field.unconfirmed.as_ref().map_or(String::new(), |what| format!("; unconfirmed: {what}"));
        format!("{under}{} ({holds}{confidential}{unconfirmed})", field.title)
    }

    fn due(&self, due: &Due) -> Vec<String> {
        let article = if due.article.is_empty() { String::new() } else { format!(" ({})", due.article) };
        let from = self.start(&due.start, due.itself);
        let limit = match due {
            Due { window: Some([first, last]), .. } => {
                format!("not before {first} and not later than {last} after {from}")
            }
            Due { within: Some(within), not_before: Some(first), .. } => {
                format!("not before {first} and not later than {within} after {from}")
            }
            Due { within: Some(within), .. } => format!("not later than {within} after {from}"),
            Due { before: Some(before), .. } if before.n == 0 => format!("before {from}"),
            Due { before: Some(before), .. } => format!("at least {before} before {from}"),
            Due { not_before: Some(first), .. } if first.n == 0 => format!("not before {from}"),
            Due { not_before: Some(first), .. } => format!("not before {first} after {from}"),
            Due { simultaneous: true, .. } => format!("on the same day as {from}"),
            _ => "promptly; no time is computed".to_owned(),
        };
        let mut text = match due.itself {
            true => format!("{}{article}: {limit}", due.title),
            false => {
                let to = if due.to.is_empty() { "its sender".into() } else { self.all(&due.to, "and") };
                format!("{}{article}: {} to {to}, {limit}", due.title, self.all(&due.by, "and"))
            }
        };
        if !due.answer.is_empty() {
            let answers: Vec<_> = due.answer.iter().map(|kind| self.title(kind)).collect();
            text.push_str(&format!("; answered by {}", join(&answers, "or")));
            text.push_str(&self.condition(&due.answer_when, due.answer.first()));
        }
        if let Some(Point::Field(name)) = &due.act {
            let of =
                if due.itself { Some(self.kind) } else { due.answer.first().and_then(|k| self.profile.kind.get(k)) };
            let title = of.and_then(|kind| kind.field(name)).map_or(name.as_str(), |field| field.title.as_str());
            text.push_str(&format!("; what counts is “{title}”"));
        }
        text.push('.');
        text.push_str(&self.counting(due.counting, due.zone.as_deref()));
        if !due.when.is_empty() {
            text.push_str(&format!(" Only{}.", self.condition(&due.when, None)));
        }
        if !due.ended_by.is_empty() {
            let enders: Vec<_> = due.ended_by.iter().map(|ender| self.ender(ender)).collect();
            text.push_str(&format!(" It ends with {}.", join(&enders, "or")));
        }
        text.push_str(&self.left_out(&due.optional, due.answer.first()));
        if let Some(deemed) = due.deemed {
            text.push_str(&format!(" Silence counts as {}.", deemed.as_str()));
        }
        if !due.then.is_empty() {
            text.push_str(&format!(" Then: {}", due.then));
        }
        let mut out = vec![text];
        out.extend(due.disputed.iter().map(|reading| self.reading(reading)));
        out
    }

    fn ender(&self, ender: &Ender) -> String {
        match ender.from.as_slice() {
            [] => self.title(&ender.kind),
            from => {
                let from = self.all(from, "or").replace("each addressee", "an addressee").replace("each ", "a ");
                format!("{} from {from}", self.title(&ender.kind))
            }
        }
    }

    /// What becomes of a rule without the fields that a note may leave out.
    fn left_out(&self, optional: &[String], answer: Option<&String>) -> String {
        let answer = answer.and_then(|kind| self.profile.kind.get(kind));
        let titles: Vec<_> = optional
            .iter()
            .map(|name| {
                let field = self.kind.field(name).or_else(|| answer?.field(name));
                format!("“{}”", field.map_or(name.as_str(), |field| field.title.as_str()))
            })
            .collect();
        match titles.is_empty() {
            true => String::new(),
            false => format!(" Where {} is not said, no time is computed.", join(&titles, "or")),
        }
    }

    fn effect(&self, effect: &Effect) -> Vec<String> {
        let article = if effect.article.is_empty() { String::new() } else { format!(" ({})", effect.article) };
        let from = self.start(&effect.start, true);
        let after = effect.after.map_or_else(|| format!("with {from}"), |after| format!("{after} after {from}"));
        let mut text = format!("{}{article}: {after}.", effect.title);
        text.push_str(&self.counting(effect.counting, effect.zone.as_deref()));
        text.push_str(&self.left_out(&effect.optional, None));
        if let Some(field) = effect.claimed.as_ref().and_then(|name| self.kind.field(name)) {
            text.push_str(&format!(
                " A later date under “{}” counts instead; an earlier one is shown beside the computed one.",
                field.title
            ));
        }
        let whose = effect.of.as_ref().map_or("its sender".to_owned(), |of| self.who(of));
        if let Some(meanwhile) = effect.meanwhile {
            text.push_str(&format!(" Until then {whose} is shown as: {}.", meanwhile.words()));
        }
        if let Some(standing) = effect.standing {
            text.push_str(&format!(" From then on: {}.", standing.words()));
        }
        let mut out = vec![text];
        for stated in &effect.stated {
            out.push(format!("What {} says of it is shown beside it.", self.title(&stated.kind)));
        }
        out.extend(effect.disputed.iter().map(|reading| self.reading(reading)));
        out
    }

    fn periodic(&self, rule: &Periodic) -> String {
        let article = if rule.article.is_empty() { String::new() } else { format!(" ({})", rule.article) };
        let to = if rule.to.is_empty() { "all parties".into() } else { self.all(&rule.to, "and") };
        let days: Vec<_> = rule.days.iter().map(|day| format!("{} {}", day.day, month(day.month))).collect();
        let about = match rule.ahead {
            0 => "",
            1 => " for the next year",
            -1 => " for the year before",
            _ => " for another year",
        };
        let then = if rule.then.is_empty() { String::new() } else { format!(" Then: {}", rule.then) };
        let (title, by, days) = (&rule.title, self.all(&rule.by, "and"), join(&days, "and"));
        let holders = if rule.holders { " that holds active quota of that year" } else { "" };
        format!("{title}{article}: {by}{holders} to {to}, every year by {days}{about}.{then}")
    }

    fn start(&self, start: &Start, itself: bool) -> String {
        match start {
            Start::At(point) => self.point(point, self.kind, "it", itself),
            Start::Before { of, at } => {
                let of = of.clone().or_else(|| self.kind.after.first().and_then(|one| one.0.first().cloned()));
                let kind = of.as_ref().and_then(|of| self.profile.kind.get(of)).unwrap_or(self.kind);
                self.point(at, kind, &format!("the {} to which it refers", self.title(&of.unwrap_or_default())), itself)
            }
            Start::Nth(Nth { nth, of, at, when, within, from: begin }) => {
                let kind = self.profile.kind.get(of).unwrap_or(self.kind);
                let note = format!("note no. {nth} of “{}”{}", kind.title, self.condition(when, Some(of)));
                let begin = self.point(begin, self.kind, "it", true);
                let came = if *at == Point::Sent { "sent" } else { "that had come" };
                let within =
                    within.map_or(String::new(), |within| format!(", of those {came} within {within} after {begin}"));
                format!("{}{within}", self.point(at, kind, &note, itself))
            }
        }
    }

    fn point(&self, point: &Point, kind: &Kind, note: &str, itself: bool) -> String {
        let who = if itself { "its addressee" } else { "whoever owes it" };
        match point {
            Point::Sent => format!("{note} was sent"),
            Point::Received => format!("{who} received {note}"),
            Point::ReceivedByEach => format!("the last addressee received {note}"),
            Point::ReceivedByDepositary => format!("the first depositary received {note}"),
            Point::ReceivedByEachDepositary => format!("the last depositary received {note}"),
            Point::InformedByDepositary => format!("{who} was informed of {note} by a depositary"),
            Point::Field(name) => {
                let title = kind.field(name).map_or(name.as_str(), |field| field.title.as_str());
                format!("“{title}”")
            }
        }
    }

    fn condition(&self, when: &BTreeMap<String, Value>, of: Option<&String>) -> String {
        let kind = of.and_then(|of| self.profile.kind.get(of)).unwrap_or(self.kind);
        let one = |(name, value): (&String, &Value)| {
            let title = kind.field(name).map_or(name.as_str(), |field| field.title.as_str());
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("“{title}” is “{value}”")
        };
        if when.is_empty() {
            String::new()
        } else {
            format!(" where {}", join(&when.iter().map(one).collect::<Vec<_>>(), "and"))
        }
    }

    fn counting(&self, counting: Counting, zone: Option<&str>) -> String {
        let mut out = String::new();
        if counting == Counting::Inclusive {
            out.push_str(" The first day counts.");
        }
        if let Some(zone) = zone {
            out.push_str(&format!(" Days are those of {zone}."));
        }
        out
    }

    fn reading(&self, reading: &Reading) -> String {
        let mut ways = Vec::new();
        ways.extend(reading.start.as_ref().map(|start| match self.start(start, true) {
            field if field.starts_with('“') => format!("counted from {field}"),
            moment => format!("counted from when {moment}"),
        }));
        ways.extend(reading.length.map(|length| format!("{length}")));
        ways.extend(reading.counting.map(|counting| match counting {
            Counting::Exclusive => "the first day does not count".to_owned(),
            Counting::Inclusive => "the first day counts".to_owned(),
        }));
        ways.extend(reading.ends.map(|ends| match ends {
            Ends::StartOfDay => "at the beginning of the last day".to_owned(),
            Ends::Moment => "at the hour of the start".to_owned(),
            Ends::EndOfDay => "at the end of the last day".to_owned(),
        }));
        ways.extend(reading.zone.as_ref().map(|zone| format!("in days of {zone}")));
        ways.extend(reading.act.as_ref().map(|act| match act {
            Point::Received => "what counts is when it was received".to_owned(),
            Point::Sent => "what counts is when it was sent".to_owned(),
            act => format!("what counts is {}", self.point(act, self.kind, "it", true)),
        }));
        format!("Another reading, computed beside it: {} ({}).", reading.title, ways.join(", "))
    }

    fn follows(&self) -> Vec<String> {
        let kind = self.kind;
        let mut out = Vec::new();
        if !kind.notice {
            out.push("It is not a notice: it starts no clock.".to_owned());
        }
        if let Some(reply) = &kind.reply {
            out.push(format!("It is usually answered by {}.", self.title(reply)));
        }
        match kind.revokes.as_slice() {
            [] => {}
            [any] if any == "*" => out.push("It takes back the earlier note of its sender to which it refers.".into()),
            kinds => {
                let kinds: Vec<_> = kinds.iter().map(|kind| self.title(kind)).collect();
                out.push(format!("It takes back an earlier {} of its sender.", join(&kinds, "or")));
            }
        }
        if kind.informs {
            out.push("With it the parties are informed of the note to which it refers.".into());
        }
        if let Some(after) = kind.deemed_received {
            out.push(format!("An addressee is deemed to have received it {after} after it was sent."));
        }
        out
    }
}

fn month(month: i8) -> &'static str {
    const NAMES: [&str; 12] = [
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
    usize::try_from(month - 1).ok().and_then(|at| NAMES.get(at)).copied().unwrap_or_default()
}

/// `a, b and c`.
fn join(words: &[String], and: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} {and} {last}", most.join(", ")),
    }
}
