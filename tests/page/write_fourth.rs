//! The fourth folder of golden files: silence under a profile with rules of time of every kind, each of which three
//! verifiers count by themselves, to the second and in the same words.

use serde_json::{Value, json};
use verbale::ledger::{Record, RecordType, Reference};
use verbale::node::{Read, prove};

use crate::common::bend::{proof_of_silence, silence_of_canada};
use crate::common::{self, CA, HU, Ledger, RU, US, key};
use crate::write::{Golden, put, rewritten};

pub const PROFILE: &str = r#"version = 1
title = "A treaty with clocks"
acknowledgement = "acknowledgement"
zone = "Europe/Vienna"
[group.north]
title = "The North"
members = ["US", "CA"]
[kind.acknowledgement]
title = "Acknowledgement"
[kind.reply]
title = "Reply"
deemed_received = "30 hours"
[[kind.reply.field]]
name = "agrees"
title = "Agrees"
type = "choice"
choices = ["yes", "no"]
[[kind.reply.field]]
name = "done"
title = "Done on"
type = "date"
[kind.circular]
title = "Depositary's circular"
informs = true
deemed_received = "2 hours"
[kind.cancellation]
title = "Cancellation"
[kind.second-thoughts]
title = "Second thoughts"
revokes = ["cancellation"]
[kind.withdrawal]
title = "Withdrawal"
[[kind.withdrawal.effect]]
id = "leaves"
title = "It leaves"
start = "sent"
after = "6 months"
meanwhile = "notice-given"
standing = "former-party"
[kind.letter]
title = "Letter"
deemed_received = "1 hour"
[kind.request]
title = "Request"
article = "VI"
[[kind.request.field]]
name = "text"
title = "Text"
type = "text"
[[kind.request.field]]
name = "mode"
title = "Mode"
type = "choice"
choices = ["slow", "fast"]
[[kind.request.field]]
name = "begins"
title = "Begins on"
type = "date"
[[kind.request.field]]
name = "arrival"
title = "Arrives at"
type = "zoned-time"
[[kind.request.field]]
name = "switch"
title = "On the night when clocks are set"
type = "time"
[[kind.request.field]]
name = "who"
title = "Who is asked"
type = "party"
repeatable = true
[kind.follow-up]
title = "Request that follows a letter"
after = ["letter"]
"#;

/// Rules of a request: id, who owes it, and how it is counted.
const RULES: &[(&str, &str, &str)] = &[
    (
        "hours",
        "\"CA\"",
        "start = \"received\"\nwithin = \"24 hours\"\narticle = \"VI.1\"\nthen = \"The request counts as refused.\"",
    ),
    ("days", "\"addressee\"", "start = \"sent\"\nwithin = \"2 days\""),
    ("one-day-in-utc", "\"depositary\"", "start = \"sent\"\nwithin = \"1 day\"\nzone = \"UTC\"\nends = \"moment\""),
    (
        "weeks-inclusive",
        "\"group:north\"",
        "start = \"received\"\nwithin = \"2 weeks\"\ncounting = \"inclusive\"\nends = \"start-of-day\"",
    ),
    (
        "months-clamped",
        "\"field:who\"",
        "start = \"field:begins\"\noptional = [\"begins\", \"who\"]\nwithin = \"6 months\"\nunconfirmed = \"The month's length.\"\ndisputed = [\n\
         { title = \"in days\", length = \"180 days\" },\n\
         { title = \"in New York\", zone = \"America/New_York\" },\n\
         { title = \"to the hour\", ends = \"moment\" },\n\
         { title = \"with the first day\", counting = \"inclusive\" },\n\
         { title = \"from the sending\", start = \"sent\" },\n\
         { title = \"from an answer that is not there\", start = \"informed-by-depositary\" },\n]",
    ),
    ("hours-before", "\"CA\"", "start = \"field:arrival\"\noptional = [\"arrival\"]\nbefore = \"72 hours\""),
    (
        "days-before",
        "\"CA\"",
        "start = \"field:arrival\"\noptional = [\"arrival\"]\nbefore = \"3 days\"\ncounting = \"inclusive\"",
    ),
    (
        "a-year-before",
        "\"CA\"",
        "start = \"field:begins\"\noptional = [\"begins\"]\nbefore = \"1 year\"\nends = \"start-of-day\"",
    ),
    ("window", "\"CA\"", "start = \"received-by-depositary\"\nwindow = [\"10 days\", \"20 days\"]"),
    ("not-before", "\"CA\"", "start = \"received-by-each\"\nnot_before = \"1 month\"\nends = \"moment\""),
    ("same-day", "\"CA\"", "start = \"sent\"\nsimultaneous = true"),
    ("promptly", "\"CA\"", "start = \"received\"\npromptly = true"),
    ("each-depositary", "\"CA\"", "start = \"received-by-each-depositary\"\nwithin = \"36 hours\""),
    ("informed", "\"CA\"", "start = \"informed-by-depositary\"\nwithin = \"1 day\""),
    (
        "clocks-forward",
        "\"CA\"",
        "start = \"field:switch\"\noptional = [\"switch\"]\nwithin = \"1 day\"\nends = \"moment\"",
    ),
    (
        "clocks-back",
        "\"CA\"",
        "start = \"field:switch\"\noptional = [\"switch\"]\nwithin = \"218 days\"\nends = \"moment\"",
    ),
    ("slow-mode", "\"CA\"", "start = \"sent\"\nwithin = \"9 days\"\nwhen = { mode = \"slow\" }"),
    ("one-of-many", "\"any depositary\"", "start = \"received\"\nwithin = \"1 day\""),
    ("everybody", "\"*\"", "start = \"sent\"\nwithin = \"1 day\""),
    ("state-parties", "\"state-party\"", "start = \"sent\"\nwithin = \"1 week\""),
    ("someone-else", "\"US\"", "start = \"sent\"\nwithin = \"1 day\""),
    ("deemed", "\"CA\"", "start = \"received\"\nwithin = \"1 day\"\ndeemed = \"accepted\""),
    (
        "ended",
        "\"CA\"",
        "start = \"received\"\nwithin = \"2 days\"\nended_by = [{ kind = \"cancellation\", from = [\"addressee\"] }]",
    ),
    (
        "ended-by-others",
        "\"CA\"",
        "start = \"received\"\nwithin = \"2 days\"\nended_by = [\"second-thoughts\", { kind = \"cancellation\", from = [\"US\"] }]",
    ),
    ("by-receipt", "\"CA\"", "start = \"received\"\nwithin = \"1 day\"\nact = \"received\""),
    ("on-a-day", "\"CA\"", "start = \"received\"\nwithin = \"2 days\"\nact = \"field:done\"\noptional = [\"done\"]"),
    ("that-agrees", "\"CA\"", "start = \"received\"\nwithin = \"1 day\"\nanswer_when = { agrees = \"yes\" }"),
    (
        "in-the-thread",
        "\"CA\"",
        "start = \"received\"\nwithin = \"1 day\"\nthread = true\nanswer_when = { agrees = \"yes\" }",
    ),
    ("third-time", "\"CA\"", "start = { nth = 3, of = \"reply\" }\nwithin = \"1 day\""),
    (
        "years",
        "\"CA\"",
        "start = \"sent\"
within = \"100 years\"",
    ),
];

/// Rules of a request that follows another note.
const LATER_RULES: &[(&str, &str, &str)] = &[
    ("after-another", "\"CA\"", "start = \"predecessor-sent\"\nwithin = \"1 day\""),
    ("after-a-letter", "\"CA\"", "start = { of = \"letter\", at = \"received\" }\nwithin = \"1 day\""),
];

/// The profile with all its rules.
pub fn profile() -> &'static str {
    let mut text = PROFILE.to_owned();
    let mut add = |kind: &str, rules: &[(&str, &str, &str)]| {
        for (id, by, rule) in rules {
            text += &format!(
                "[[kind.{kind}.due]]\nid = \"{id}\"\ntitle = \"An answer ({id})\"\nby = [{by}]\nanswer = [\"reply\"]\n{rule}\n"
            );
        }
    };
    add("request", RULES);
    add("follow-up", LATER_RULES);
    text.leak()
}

pub fn treaty_text() -> String {
    common::treaty_with_depositaries(profile())
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::under(treaty_text(), profile());
    for party in [CA, HU, RU, US] {
        ledger.submit(party, ledger.grant(party, "minister", "Minister", "*")).unwrap();
    }
    ledger
}

fn submit(ledger: &mut Ledger, party: usize, number: u64, said: (&str, Value), re: Vec<Reference>) -> u64 {
    let note = ledger.note_of(party, number, said, &["*"], re, &[key(party, "minister")]);
    ledger.submit(party, note).unwrap().index
}

fn request(ledger: &mut Ledger, number: u64) -> u64 {
    let body = json!({
        "text": format!("request {number}"), "mode": "fast", "begins": "2021-08-31", "who": ["CA", "north"],
        "arrival": "2021-06-30T23:30:00-04:00[America/New_York]", "switch": "2021-03-27T01:30:00Z",
    });
    submit(ledger, RU, number, ("request", body), Vec::new())
}

/// A proof of what Canada's log held instead of an answer, after so many hours.
fn proof(ledger: &mut Ledger, index: u64, hours: u64, due: Option<&str>) -> Vec<u8> {
    let query = silence_of_canada(ledger, hours, due);
    proof_of_silence(ledger, index, &query)
}

pub fn golden() -> Vec<Golden> {
    let mut out = Vec::new();
    // What has an answer, or nobody's word, is no proof that there was none.
    let reserved = [
        "seen-by-nobody",
        "answered-with-no",
        "answered-late",
        "answered-and-ended",
        "informed",
        "ended",
        "ended-by-others",
        "taken-back",
        "once-more",
    ];
    let mut put = |name: &str, words, bytes| {
        let outcome = if reserved.contains(&name) { "reserved" } else { "sound" };
        put(&mut out, &format!("deadline/{name}"), outcome, words, bytes);
    };

    let mut silent = ledger();
    let index = request(&mut silent, 2);
    put("seen-too-early", "the time had not run", proof(&mut silent, index, 1, Some("hours")));
    let good = proof(&mut silent, index, 100, Some("hours"));
    put("good", "after it: no answer was in it", good.clone());
    put(
        "every-rule",
        "By the treaty's profile Canada owed: An answer (months-clamped)",
        proof(&mut silent, index, 1, None),
    );
    put(
        "a-rule-of-others",
        "The profile has no rule `someone-else` by which Canada",
        proof(&mut silent, index, 1, Some("someone-else")),
    );
    put("no-such-rule", "The profile has no rule `made-up`", proof(&mut silent, index, 1, Some("made-up")));
    put("years-later", "By the treaty's profile", proof(&mut silent, index, 24 * 400, None));
    let few = rewritten(&silent, &good, |e| {
        let part = e.silence.as_mut().unwrap();
        part.head = common::bend::with_lines(&part.head, |at| at == 0);
    });
    put("seen-by-nobody", "No quorum says when the log was seen", few);

    // Canada says something: that it agrees to nothing, then that it agrees, and then that all is off.
    let mut answered = ledger();
    let index = request(&mut answered, 2);
    answered.now += 20 * 3_600_000;
    let re = answered.refer(RU, index);
    let no = submit(&mut answered, CA, 3, ("reply", json!({"agrees": "no", "done": "2021-06-22"})), re.clone());
    put("answered-with-no", "Met by CA/", proof(&mut answered, index, 30, None));
    let behind = answered.refer(CA, no);
    submit(&mut answered, CA, 4, ("reply", json!({"agrees": "yes"})), behind);
    put("answered-late", "Late by", proof(&mut answered, index, 1, None));
    submit(&mut answered, CA, 5, ("cancellation", json!({})), re);
    put("answered-and-ended", "Met by CA/", proof(&mut answered, index, 1, None));

    // It informs others of the request as a depositary, and calls it off; it answers nothing.
    let mut circulated = ledger();
    let index = request(&mut circulated, 2);
    let re = circulated.refer(RU, index);
    submit(&mut circulated, CA, 3, ("circular", json!({})), re.clone());
    put("informed", "No answer in this file is one that this rule asks for", proof(&mut circulated, index, 80, None));
    let cancelled = submit(&mut circulated, CA, 4, ("cancellation", json!({})), re);
    put("ended", "ended it at", proof(&mut circulated, index, 80, Some("ended")));
    put("ended-by-others", "No answer in this file", proof(&mut circulated, index, 1, Some("ended-by-others")));
    // It takes that back, and logs the same note once more, which says nothing new.
    let re = circulated.refer(CA, cancelled);
    submit(&mut circulated, CA, 5, ("second-thoughts", json!({})), re);
    put("taken-back", "No answer in this file", proof(&mut circulated, index, 1, Some("ended")));
    let record = circulated.nodes[CA].disk.record(CA, cancelled).unwrap().unwrap();
    let again = Record::parse(&record).unwrap().payload.to_vec();
    circulated.log_anyway(CA, RecordType::Notification, &again);
    put("once-more", "No answer in this file", proof(&mut circulated, index, 1, Some("ended")));

    // Before the request it had written a letter, to which the request refers; Russia had not receipted it.
    let mut followed = ledger();
    followed.online(&[HU, RU, US]);
    let letter = submit(&mut followed, CA, 2, ("letter", json!({})), Vec::new());
    let re = followed.refer(CA, letter);
    let index = submit(&mut followed, RU, 3, ("follow-up", json!({})), re);
    followed.online(&[CA, HU, RU, US]);
    put("after-a-letter", "CA/", proof(&mut followed, index, 60, None));

    // It gives notice that it leaves.
    let mut leaving = ledger();
    let index = request(&mut leaving, 2);
    submit(&mut leaving, CA, 3, ("withdrawal", json!({})), Vec::new());
    put("leaving", "By the treaty's profile", proof(&mut leaving, index, 60, None));

    // Of a note that has no rule.
    let mut letter = ledger();
    let index = submit(&mut letter, RU, 2, ("letter", json!({})), Vec::new());
    put("no-rule", "The profile has no rule by which Canada", proof(&mut letter, index, 60, None));
    characters(&mut out);
    out
}

/// Characters that some versions of Unicode do not know: every verifier goes by one version.
fn characters(out: &mut Vec<Golden>) {
    for (name, text, words) in [
        ("of-many-scripts", "é Ж 中 😀 \u{1df0a}", "VERIFIED"),
        ("invisible-since-15", "a\u{13439}b", "cannot be read as a notification"),
        ("invisible-since-15-too", "a\u{1343f}b", "cannot be read as a notification"),
        ("composed-since-16", "\u{105d2}\u{307}", "cannot be read as a notification"),
        ("composed-since-16-too", "\u{16d63}\u{16d67}", "cannot be read as a notification"),
        ("not-assigned", "a\u{378}b", "cannot be read as a notification"),
        ("no-character", "a\u{ffff}b", "cannot be read as a notification"),
    ] {
        let mut ledger = ledger();
        let note =
            ledger.note_of(RU, 2, ("request", json!({"text": text})), &["*"], Vec::new(), &[key(RU, "minister")]);
        let index = ledger.log_anyway(RU, RecordType::Notification, &note);
        let bytes = prove(&ledger.nodes[US].disk, &ledger.treaty, RU, index).unwrap().unwrap();
        let outcome = if words == "VERIFIED" { "sound" } else { "reserved" };
        put(out, &format!("characters/{name}"), outcome, words, bytes);
    }
}
