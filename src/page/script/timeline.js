// The chain of custody, drawn: time runs downwards; what is older than the note on the left, the sender's log in the
// middle, those who received it on the right. Each moment is by the clock of the party that it is named after.
import { s } from "./dom.js";
import { nameOf } from "./treaty.js";
import { utc } from "./verdict.js";

const LANES = { before: 236, sender: 296, after: 356 };
const WIDTH = 860;
const TOP = 34;

/** The moments in order; where two are the same, what must come first stands first. */
function moments(verdict, treaty) {
  const name = (code) => nameOf(treaty, code);
  const out = verdict.not_before.map((bound) => ({
    time: bound.time,
    rank: 0,
    lane: "before",
    says: `${name(bound.by)} had logged a record that the note follows`,
    detail: `by the clock of ${name(bound.by)}: not sent before this`,
  }));
  const sender = name(verdict.party);
  if (verdict.issued !== null) out.push({ time: verdict.issued, rank: 1, lane: "sender", faint: true, says: "Issued", detail: "by the word of its official" });
  out.push({ time: verdict.logged, rank: 2, lane: "sender", says: `${sender} logged it as record ${verdict.index}`, detail: `by the clock of ${sender}` });
  for (const receipt of verdict.receipts) {
    const first = receipt === verdict.receipts[0] ? ": sent by then at the latest" : "";
    out.push({ time: receipt.time, rank: 3, lane: "after", says: `${name(receipt.party)} had received it`, detail: `by its own clock${first}` });
  }
  if (verdict.final_since !== null) {
    out.push({ time: verdict.final_since, rank: 4, lane: "sender", seal: true, says: "Final: the receipts make the quorum", detail: "with the receipt given at this time" });
  }
  if (verdict.silence !== null) {
    const party = name(verdict.silence.party);
    for (const answer of verdict.silence.answers) {
      out.push({ time: answer.logged, rank: 5, lane: "after", says: `${party} answered: record ${answer.index} of its log`, detail: "by its own clock" });
    }
    if (verdict.silence.as_of !== null) {
      const says = verdict.silence.answers.length === 0 ? `${party} had not answered` : `The log of ${party} held no other answer`;
      out.push({ time: verdict.silence.as_of, rank: 6, lane: "after", hollow: true, says, detail: "as a quorum of the parties saw its log" });
    }
  }
  return out.sort((a, b) => (a.time === b.time ? a.rank - b.rank : a.time < b.time ? -1 : 1));
}

/** `3 s`, `4 min`, `2 h 5 min`, `12 days` */
function elapsed(seconds) {
  const units = [[86400, "day"], [3600, "h"], [60, "min"], [1, "s"]];
  const [size, unit] = units.find(([size]) => seconds >= size) ?? [1, "s"];
  const count = Math.floor(seconds / size);
  return `${count} ${unit}${unit === "day" && count > 1 ? "s" : ""}`;
}

/** Longer waits stand further apart, but not in proportion: seconds and years share the page. */
function gap(seconds) {
  return seconds === 0 ? 40 : Math.min(46 + 7 * Math.log10(seconds), 96);
}

export function timeline(verdict, treaty) {
  const events = moments(verdict, treaty);
  let y = TOP + 24;
  for (const [at, event] of events.entries()) {
    const seconds = at === 0 ? 0 : (new Date(event.time) - new Date(events[at - 1].time)) / 1000;
    if (at > 0) y += gap(seconds);
    Object.assign(event, { y, seconds });
  }
  const height = y + 36;
  const logged = events.find((event) => event.rank === 2);
  const drawing = [];
  for (const [lane, title] of [["before", "before"], ["sender", "sender"], ["after", "after"]]) {
    drawing.push(s("line", { class: "lane", x1: LANES[lane], x2: LANES[lane], y1: TOP, y2: height - 10 }));
    drawing.push(s("text", { class: "lane-title", x: LANES[lane], y: 16, "text-anchor": "middle" }, title));
  }
  for (const event of events) {
    const x = LANES[event.lane];
    if (event.lane !== "sender") {
      const bend = `M ${LANES.sender} ${logged.y} C ${LANES.sender} ${event.y}, ${(LANES.sender + x) / 2} ${event.y}, ${x} ${event.y}`;
      drawing.push(s("path", { class: `thread ${event.lane}`, d: bend }));
    }
  }
  for (const [at, event] of events.entries()) {
    const x = LANES[event.lane];
    if (event.seconds > 0) {
      const middle = (event.y + events[at - 1].y) / 2 + 4;
      drawing.push(s("text", { class: "elapsed", x: 176, y: middle, "text-anchor": "end" }, `+ ${elapsed(event.seconds)}`));
    }
    drawing.push(s("text", { class: "time", x: 176, y: event.y + 4, "text-anchor": "end" }, utc(event.time)));
    drawing.push(mark(event, x));
    drawing.push(s("text", { class: "says", x: 388, y: event.y }, event.says));
    drawing.push(s("text", { class: "detail", x: 388, y: event.y + 15 }, event.detail));
  }
  const title = "The chain of custody, in the order of the times that the parties' clocks said";
  const words = events.map((event) => `${utc(event.time)}: ${event.says}, ${event.detail}.`).join(" ");
  return s(
    "svg",
    { class: "timeline", viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-labelledby": "timeline-title timeline-words" },
    s("title", { id: "timeline-title" }, title),
    s("desc", { id: "timeline-words" }, words),
    drawing,
  );
}

function mark(event, x) {
  if (event.seal) return s("rect", { class: "mark seal", x: x - 7, y: event.y - 7, width: 14, height: 14, transform: `rotate(45 ${x} ${event.y})` });
  if (event.rank === 2) return s("rect", { class: "mark own", x: x - 8, y: event.y - 8, width: 16, height: 16 });
  return s("circle", { class: `mark ${event.lane}${event.faint || event.hollow ? " hollow" : ""}`, cx: x, cy: event.y, r: 6 });
}
