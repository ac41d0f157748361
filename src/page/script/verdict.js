// The verdict on evidence, in the words of `verbale verify`: what is proven, by whom, and what is not.
import { isQuorum } from "./amendment.js";
import { hex, isTime } from "./bytes.js";
import { write } from "./canon.js";
import { restartSentence } from "./restart.js";
import { nameOf } from "./treaty.js";

/** `2020-05-22 14:00:00 UTC` */
export function utc(time) {
  return time.replace("T", " ").replace("Z", " UTC");
}

/** `a, b and c` */
export function listed(items, last) {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} ${last} ${items.at(-1)}`;
}

/** A value of a note's body, for people. */
export function said(value) {
  if (typeof value === "string") return isTime(value) ? utc(value) : value;
  return Array.isArray(value) ? value.map(said).join("; ") : write(value);
}

/** A canonical value as plain data. */
export function plainData(value) {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plainData(item)]));
  return Array.isArray(value) ? value.map(plainData) : value;
}

/** What the checked parts say together. */
export function weigh(parts, treaty, profile) {
  const { record, value } = parts;
  const party = treaty.parties[parts.log];
  const kind = value === null ? undefined : profile?.kinds.get(value.kind);
  const order = (a, b) => (a.time !== b.time ? (a.time < b.time ? -1 : 1) : a.by !== b.by ? a.by - b.by : Number(a.size - b.size));
  const sorted = [...parts.receipts].sort(order);
  const receipts = [];
  for (const { by, time, size } of sorted) {
    const { code } = treaty.parties[by];
    if (receipts.every(({ party }) => party !== code)) receipts.push({ party: code, time, size: Number(size) });
  }
  const since = finalSince(sorted, treaty, parts.adoption);
  const first = receipts[0];
  const verdict = {
    party: party.code,
    index: Number(record.index),
    leaf: hex(record.leaf),
    kind: value?.kind ?? "",
    title: value === null ? "Notification" : (kind?.title ?? value.kind),
    id: value?.id ?? "",
    to: value?.to ?? [],
    body: value?.body ?? new Map(),
    attachments: value === null ? [] : value.attachments.map(plainData),
    issued: value?.issued ?? null,
    signers: parts.signers,
    demanded: kind?.signatures > 1 ? demanded(kind, parts.signers) : null,
    marks: parts.marks,
    logged: record.time,
    not_before: parts.bounds,
    not_after: first === undefined ? null : { time: first.time, by: first.party, why: "the earliest receipt" },
    receipts,
    // A treaty may ask for no receipts at all.
    final: since !== null || isQuorum(treaty, parts.adoption.last(), new Set()),
    final_since: since,
    fork: parts.fork,
    restarts: parts.restarts,
    silence: parts.silence,
    outside: parts.outside,
    amended: treaty.taken.length === 0 ? null : { held: parts.adoption.at(record.index).number, known: treaty.taken.length },
  };
  verdict.not_proven = gaps(verdict, treaty);
  verdict.sentences = [...sentences(verdict, treaty, profile), ...outsideSentences(verdict.outside)];
  verdict.sound = verdict.final && verdict.marks.length === 0 && verdict.fork === null;
  verdict.parts = parts;
  verdict.treaty = treaty;
  return verdict;
}

/** How many officials the profile demands. Keys of one name are one official's. */
function demanded(kind, signers) {
  return { officials: kind.signatures, article: kind.article ?? "", given: new Set(signers.map((s) => s.key)).size };
}

/** Since when some head has its quorum: each is judged where it ends, by the receipts on it and on larger ones. */
function finalSince(receipts, treaty, adoption) {
  let since = null;
  for (const size of new Set(receipts.map((receipt) => receipt.size))) {
    const have = new Set();
    for (const receipt of receipts.filter((one) => one.size >= size)) {
      have.add(treaty.parties[receipt.by].code);
      if (!isQuorum(treaty, adoption.ofSize(size), have)) continue;
      if (since === null || receipt.time < since) since = receipt.time;
      break;
    }
  }
  return since;
}

function gaps(verdict, treaty) {
  const name = (code) => nameOf(treaty, code);
  const sender = name(verdict.party);
  const out = [
    "That any person read the note: a receipt says that a party's node has stored it.",
    "That any clock was right: each time is what the named party's clock said.",
    `That ${sender} had not withdrawn an official's key before the note: this file has the grants, and ` +
      "only the whole log shows that nothing else was recorded.",
    "That no node's key had been replaced before, as lost or stolen: this file does not show it, and the logs of those who signed do.",
    "That what the note says is true.",
    `That ${sender} had not logged the same note before: only the whole log shows it, and what answered it there.`,
  ];
  if (treaty.rule !== null) {
    out.push(`That no further amendment of the treaty file held at that place: only the whole log of ${sender} shows it.`);
  }
  const missing = treaty.parties.filter((p) => p.code !== verdict.party && verdict.receipts.every((r) => r.party !== p.code));
  if (missing.length > 0) {
    out.push(`That ${listed(missing.map((p) => p.name), "or")} received it: no receipt of theirs is in this file.`);
  }
  if (verdict.not_before.length === 0) out.push(`When it was sent at the earliest: there is only the word of ${sender}.`);
  if (verdict.receipts.length === 0) out.push("When it was sent at the latest: there is no receipt.");
  if (verdict.attachments.length > 0) {
    out.push("That an attached file is the right one: compare its SHA-256 with the one in the note.");
  }
  if (verdict.silence !== null) {
    const party = name(verdict.silence.party);
    out.push(`That ${party} did not answer in another way than by a note in its log, or later.`);
    out.push(`That ${party} had not logged an answer of which those who cosigned had not yet heard.`);
  }
  if (verdict.fork !== null) out.push(`That ${sender} showed the same log to all: the contrary is proven.`);
  return out;
}

/** That the first receipt is older than the note can be by other clocks, and which receipt says the same without it. */
function firstReceiptTooEarly({ party, logged, not_before, not_after, receipts }, name) {
  const [sender, by, out] = [name(party), name(not_after.by), []];
  const late = not_before.find((bound) => bound.time > not_after.time);
  if (late !== undefined) out.push(`The clocks of ${name(late.by)} and ${by} do not agree with each other.`);
  if (logged > not_after.time) out.push(`The clocks of ${sender} and ${by} do not agree: by that of ${sender}, it was logged later.`);
  const earliest = [logged, ...not_before.map(({ time }) => time)].reduce((a, b) => (a > b ? a : b));
  const next = out.length > 0 ? receipts.find(({ time }) => time >= earliest) : undefined;
  if (next !== undefined) out.push(`Without ${by}, it was sent by ${utc(next.time)} at the latest, by the clock of ${name(next.party)}.`);
  return out;
}

function sentences(verdict, treaty, profile) {
  const name = (code) => nameOf(treaty, code);
  const sender = name(verdict.party);
  const out = [`${sender} sent this note: “${verdict.title}”, record ${verdict.index} of its log.`];
  if (verdict.to.length > 0) {
    out.push(`It is addressed to ${listed(verdict.to.map((code) => (code === "*" ? "all parties" : name(code))), "and")}.`);
  }
  if (verdict.signers.length === 0) {
    out.push("No official whose key the party had granted signed it.");
  } else {
    const officials = verdict.signers.map((s) => `${s.title} (key granted in record ${s.granted_at})`);
    out.push(`It was signed for ${sender} by: ${officials.join("; ")}.`);
  }
  if (verdict.demanded !== null) {
    const { officials, article, given } = verdict.demanded;
    const where = article === "" ? "" : ` (${article})`;
    out.push(`The treaty's profile${where} demands that ${officials} officials sign such a note; ${given} have.`);
  }
  const fields = profile?.kinds.get(verdict.kind)?.fields ?? [];
  for (const [key, value] of verdict.body) {
    out.push(`It says: ${fields.find((field) => field.name === key)?.title ?? key}: ${said(value)}`);
  }
  for (const file of verdict.attachments) out.push(`With it goes the file “${file.name}” of ${file.size} bytes.`);
  if (verdict.issued !== null) out.push(`It says that it was issued at ${utc(verdict.issued)}.`);
  if (verdict.amended !== null) {
    const { held, known } = verdict.amended;
    const more = known > held ? `; ${known - held} more are in this file` : "";
    out.push(`At this place of the log, the treaty file held with its first ${held} amendments${more}.`);
  }
  for (const mark of verdict.marks) out.push(`Not in order: ${mark.text}`);
  out.push(`By the clock of ${sender}, it was logged at ${utc(verdict.logged)}.`);
  for (const bound of verdict.not_before) {
    out.push(`It was not sent before ${utc(bound.time)}, by the clock of ${name(bound.by)}: ${bound.why}.`);
  }
  if (verdict.not_after !== null) {
    const { time, by } = verdict.not_after;
    out.push(`It was sent by ${utc(time)} at the latest, by the clock of ${name(by)}, which gave the first receipt.`);
    out.push(...firstReceiptTooEarly(verdict, name));
  }
  for (const receipt of verdict.receipts) out.push(`${name(receipt.party)} had received it at ${utc(receipt.time)}.`);
  if (verdict.final && verdict.final_since !== null) {
    out.push(`The receipts make the quorum that the treaty asks for, since ${utc(verdict.final_since)}: the note is final.`);
  } else if (verdict.final) {
    out.push("The treaty asks for no receipts: the note is final.");
  } else {
    out.push("The receipts do not make the quorum that the treaty asks for: the note is not final.");
  }
  if (verdict.silence !== null) out.push(...silenceSentences(verdict.silence, name));
  for (const restarted of verdict.restarts) out.push(restartSentence(restarted, sender, utc));
  if (verdict.fork !== null) {
    const { smaller, larger } = verdict.fork;
    out.push(
      `The log of ${sender} has forked: it signed two heads, of ${smaller} and of ${larger} records, that contradict each other.`,
    );
  }
  return out;
}

function silenceSentences(silence, name) {
  const party = name(silence.party);
  const out = [];
  out.push(
    silence.received !== null
      ? `${party} had received the note at ${utc(silence.received)}, by its own clock.`
      : `No receipt by ${party} for the note is in this file; the receipts of the others show that it was to be had from them since then.`,
  );
  const count = silence.to - silence.from;
  const range =
    count <= 0
      ? `nothing after its first ${silence.from} records`
      : count === 1
        ? `record ${silence.from}`
        : `records ${silence.from} to ${silence.to - 1} without a gap`;
  out.push(`Of the log of ${party}, this file holds ${range}; what comes before them is older than the note.`);
  for (const seen of silence.seen_by) {
    out.push(`At ${utc(seen.time)}, by its own clock, ${name(seen.party)} held the log of ${party} up to there, and nothing beyond.`);
  }
  if (silence.answers.length === 0) {
    const until =
      silence.as_of !== null
        ? `until ${utc(silence.as_of)}, as a quorum saw it, `
        : "as far as these saw it (they are not a quorum), ";
    out.push(`There is no note among them that refers to this one: ${until}${party} had not answered.`);
  }
  for (const answer of silence.answers) {
    out.push(
      `Record ${answer.index} of the log of ${party}, a note of the kind \`${answer.kind}\`, refers to this note; ` +
        `${party} logged it at ${utc(answer.logged)}, by its own clock.`,
    );
  }
  return out;
}

function outsideSentences(outside) {
  return outside.map(
    ({ key, time }) =>
      `Somebody with the key of ${key.split("+")[0]} that this file names had seen the log with this note in it at ${utc(time)}, ` +
      "by its own clock. That is worth as much as the key: name it with --witness if you know it.",
  );
}

/** The verdict as data: what `verbale verify --json` says of it. */
export function asData(verdict) {
  const { parts, rules, sentences, sound, treaty, ...data } = verdict;
  if (data.silence === null) delete data.silence;
  if (data.demanded === null) delete data.demanded;
  if (data.outside.length === 0) delete data.outside;
  if (data.restarts.length === 0) delete data.restarts;
  if (data.amended === null) delete data.amended;
  return { sound, verdict: { ...data, body: plainData(data.body) }, ...(rules === null ? {} : { rules }) };
}
