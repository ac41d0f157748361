// A whole ledger, shown: what each log holds, who has received how much of it, when its notes were sent, and each note.
import { h, s } from "./dom.js";
import { letter } from "./letter.js";
import { nameOf } from "./treaty.js";
import { utc } from "./verdict.js";

/** Most stretches of records of one log that are named. */
const MAX_STRETCHES = 12;
/** Most notes that are listed one by one. */
const MAX_LISTED = 5000;

function counted(number, one) {
  return `${number} ${one}${number === 1 ? "" : "s"}`;
}

/** One sentence a log, and what is to be said against the whole. */
export function ledgerSentences(report) {
  const out = report.logs.map((log) => {
    const { records, notifications, credentials, receipts, amendments, redacted, omitted } = log.counts;
    const last = log.last === null ? "" : `, the last one logged at ${utc(log.last)}`;
    const what = [counted(notifications, "notification"), counted(credentials, "credential"), counted(receipts, "receipt")];
    if (amendments > 0) what.push(counted(amendments, "amendment"));
    if (redacted > 0) what.push(`${counted(redacted, "note")} withheld`);
    if (omitted > 0) what.push(`${counted(omitted, "record")} left out`);
    return `${log.party.name}: ${counted(records, "record")}${last}; ${what.join(", ")}; the first ${log.final ?? 0n} are final.`;
  });
  out.unshift(...report.asked);
  for (const { party, stretches, counts } of report.logs) {
    if (report.part === null || counts.records === 0) continue;
    const shown = stretches.slice(0, MAX_STRETCHES).map(([from, end]) => (end === from + 1n ? `${from}` : `${from} to ${end - 1n}`));
    const more = stretches.length > MAX_STRETCHES ? ` and ${stretches.length - MAX_STRETCHES} stretches more` : "";
    out.push(shown.length === 0 ? `${party.code}: no record is here.` : `${party.code}: here without a gap: ${shown.join(", ")}${more}. The log has nothing else there.`);
  }
  for (const { party, restarts } of report.logs) {
    for (const { common, kept, other, issued } of restarts) {
      out.push(
        `The log of ${party.code} had two branches from record ${common} on, of ${kept.size} and of ${other.size} records; its root ` +
          `accepted both at ${utc(issued)} (record ${kept.size}), and it goes on with that of ${kept.size}.`,
      );
    }
  }
  for (const log of report.missing) {
    out.push(`Missing: the log of ${log.party} has ${log.signed} records, as others' receipts show; here are ${log.have}.`);
  }
  for (const fork of report.forks) out.push(`Forked: the log of ${fork.party}: ${fork.why}.`);
  return out;
}

const PART_GAPS = [
  "Anything about the content of a note that is withheld, or about records that were left out: their hashes only are here.",
  "That no record that was left out is of the kind that was asked for, answers a note, or takes it back.",
];

/** What an export does not show. */
export function ledgerGaps(report) {
  return report.part === null ? LEDGER_GAPS : [...PART_GAPS, ...LEDGER_GAPS];
}

const LEDGER_GAPS = [
  "That any person read a note: a receipt says that a party's node has stored it.",
  "That any clock was right: each time is what the named party's clock said.",
  "That what the notes say is true.",
  "That a party has not logged more since: an export ends where its writer's copy ended.",
];

/** The logs against the parties: how much of each log each party has receipted. */
export function ledgerMatrix(report, treaty) {
  const rows = report.logs.map((log) => {
    const cells = treaty.parties.map((party) => {
      if (party === log.party) return h("td", { class: "none" }, "own");
      const receipt = log.received?.get(party.code);
      if (receipt === undefined) return h("td", { class: "none" }, "–");
      const all = receipt.size === log.size;
      return h("td", { class: all ? "counts" : "", title: utc(receipt.time) }, `${receipt.size}`);
    });
    return h("tr", {}, h("th", { scope: "row" }, log.party.name, h("span", { class: "code" }, ` ${log.party.code}`)), h("td", {}, `${log.size}`), h("td", {}, `${log.final ?? 0n}`), cells);
  });
  const heads = ["Log of", "Records", "Final", ...treaty.parties.map(({ code }) => code)];
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Matrix of receipts" },
    h(
      "table",
      {},
      h("caption", {}, "How many records of each log each party has signed to hold durably. In bold: all that there are here."),
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, rows),
    ),
  );
}

/** When the notes were logged: a row a party, time from left to right. */
export function ledgerTimeline(report, treaty) {
  const notes = report.logs.flatMap((log) => log.notes);
  const times = notes.map(({ record }) => Date.parse(record.time));
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const [left, width, row] = [210, 620, 26];
  const x = (time) => left + (last === first ? width / 2 : ((time - first) / (last - first)) * width);
  const height = 30 + row * report.logs.length + 24;
  const drawing = report.logs.flatMap((log, at) => {
    const y = 30 + row * at + row / 2;
    const marks = log.notes.map(({ record, marks }) =>
      s("circle", { class: `mark ${record.index < (log.final ?? 0n) ? "after" : "hollow"}${marks.length > 0 ? " odd" : ""}`, cx: x(Date.parse(record.time)), cy: y, r: 4 }),
    );
    const line = s("line", { class: "lane", x1: left, x2: left + width, y1: y, y2: y });
    return [line, s("text", { class: "says", x: left - 14, y: y + 5, "text-anchor": "end" }, log.party.name), ...marks];
  });
  const ends = notes.length === 0 ? [] : [[first, left, "start"], [last, left + width, "end"]];
  const labels = ends.map(([time, at, anchor]) => s("text", { class: "time", x: at, y: height - 6, "text-anchor": anchor }, utc(new Date(time).toISOString().slice(0, 19) + "Z")));
  const words = `${notes.length} notes of ${report.logs.length} parties, by the time at which their senders logged them; filled: final.`;
  return s(
    "svg",
    { class: "timeline", viewBox: `0 0 860 ${height}`, role: "img", "aria-labelledby": "timeline-title" },
    s("title", { id: "timeline-title" }, words),
    s("text", { class: "detail", x: left, y: 18 }, words),
    drawing,
    labels,
  );
}

/** Every note, by the time at which its sender logged it. */
export function ledgerNotes(report, treaty, profile) {
  const notes = report.logs.flatMap((log) => log.notes.map((note) => ({ ...note, log })));
  notes.sort((a, b) => (a.record.time < b.record.time ? -1 : Number(a.record.time > b.record.time)));
  const items = notes.slice(0, MAX_LISTED).map(({ log, record, value, marks, signers }) => {
    const number = `${log.party.code}/${record.index}`;
    const title = value === null ? "Not a notification" : (profile?.kinds.get(value.kind)?.title ?? value.kind);
    const holders = [...(log.received ?? new Map())].filter(([, receipt]) => receipt.size > record.index).map(([code]) => code);
    const final = record.index < (log.final ?? 0n) ? "final" : "not final";
    const summary = h("summary", {}, h("span", { class: "when" }, utc(record.time)), ` ${number} `, h("strong", {}, title), ` · ${final}`, marks.length > 0 ? h("span", { class: "failed" }, " · not in order") : null);
    const details = h("details", { class: "check" }, summary);
    details.addEventListener("toggle", () => {
      if (details.dataset.made) return;
      details.dataset.made = "yes";
      const verdict = { party: log.party.code, index: Number(record.index), title, parts: { value, record } };
      const lines = letter(verdict, treaty, profile);
      const signed = signers.length === 0 ? "nobody whose key the party had granted" : signers.map((signer) => signer.title).join("; ");
      details.append(
        lines === null ? h("p", {}, "The record cannot be read as a notification.") : h("pre", { class: "letter", tabindex: "0", "aria-label": `note ${number}` }, lines.join("\n")),
        h("p", {}, `Signed by ${signed}. Received by ${holders.length === 0 ? "no other party" : holders.map((code) => nameOf(treaty, code)).join(", ")}.`),
        ...marks.map((mark) => h("p", { class: "failed" }, `Not in order: ${mark.text}`)),
      );
    });
    return details;
  });
  const more = notes.length - items.length;
  return more > 0 ? [...items, h("p", { class: "hint" }, `${more} more notes were checked and are not listed.`)] : items;
}
