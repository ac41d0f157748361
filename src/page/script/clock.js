// Lengths of time as treaties count them, in a time zone: `src/law/calendar.rs` in this page's language (section 6a).
//
// A time is a text as 2021-06-18T09:00:00Z; an event is `{ time }` or `{ day: [year, month, day] }`.
import { isTime } from "./bytes.js";

const DAY = 86400;
const LAST = Date.UTC(9998, 11, 31, 23, 59, 59) / 1000;
/** Years, months, … in the longest time that a treaty may name: a hundred years. */
const MAX_COUNT = { hour: 876600, day: 36525, week: 5218, month: 1200, year: 100 };
/** The times that are computed, for people. */
export const RANGE = "1 January 1970 to 30 December 9998";

export const posix = (time) => Date.parse(time) / 1000;

/** `null` outside of the years of times. */
export function ofPosix(seconds) {
  return seconds >= 0 && seconds <= LAST ? new Date(seconds * 1000).toISOString().replace(".000Z", "Z") : null;
}

/** `{ n, unit, text }` of `24 hours`. */
export function parseCount(text) {
  const [, number, unit] = /^(0|[1-9][0-9]{0,5}) (hour|day|week|month|year)s?$/.exec(text) ?? [];
  if (unit === undefined || Number(number) > MAX_COUNT[unit]) throw new Error(`\`${text}\` is not a length of time`);
  const n = Number(number);
  return { n, unit, text: `${n} ${unit}${n === 1 ? "" : "s"}` };
}

/** Seconds of a civil time, as if it were in UTC. */
function civil([year, month, day], seconds = 0) {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getTime() / 1000 + seconds;
}

const dayAt = (seconds) => {
  const date = new Date(seconds * 1000);
  return [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()];
};

const formats = new Map();

/** The civil time in a zone at a moment, in seconds as if it were in UTC. */
function local(seconds, zone) {
  if (zone === "UTC") return seconds;
  if (!formats.has(zone)) {
    const parts = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" };
    formats.set(zone, new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", ...parts }));
  }
  const at = Object.fromEntries(formats.get(zone).formatToParts(new Date(seconds * 1000)).map(({ type, value }) => [type, Number(value)]));
  return civil([at.year, at.month, at.day], at.hour * 3600 + at.minute * 60 + at.second);
}

/** The moment of a civil time. One that comes twice is the first; one that is left out is as much later. */
function moment(seconds, zone) {
  const offset = (at) => local(at, zone) - at;
  const [before, after] = [offset(seconds - DAY), offset(seconds + DAY)];
  const fits = [before, after].map((by) => seconds - by).filter((at) => local(at, zone) === seconds);
  return fits.length > 0 ? Math.min(...fits) : seconds - before;
}

/** The first moment of a day, or that of a clock time. */
const onDay = (day, zone, clock = 0) => {
  const seconds = civil(day, clock);
  return Number.isNaN(seconds) ? null : ofPosix(moment(seconds, zone));
};

export const dayText = ([year, month, day]) => `${String(year).padStart(4, "0")}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;

/** The moment of an event; of a day its first one. */
export const momentOf = (event, zone) => event.time ?? onDay(event.day, zone);

/** The time or day that a field holds, or `null`. */
export function eventOf(value, isZoned) {
  if (isTime(value)) return { time: value };
  if (typeof value !== "string") return null;
  if (isZoned(value)) {
    const time = ofPosix(Math.floor(Date.parse(value.replace(/(\.[0-9]+)?([+-].*)\[.*$/, "$2")) / 1000));
    return time === null ? null : { time };
  }
  return isTime(`${value}T00:00:00Z`) ? { day: value.split("-").map(Number) } : null;
}

const lastDay = (year, month) => new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();

/** Where a length of time ends that is counted from an event: `{ at, day, clamped }`; `null` past all years. */
export function endOf(event, count, { counting, ends, zone, back }) {
  const n = back ? -count.n : count.n;
  if (count.unit === "hour") {
    const start = momentOf(event, zone);
    const at = start === null ? null : ofPosix(posix(start) + n * 3600);
    return at === null ? null : { at, day: dayAt(local(posix(at), zone)), clamped: false };
  }
  const start = event.day === undefined ? local(posix(event.time), zone) : civil(event.day);
  const first = dayAt(start);
  let day;
  let clamped = false;
  if (count.unit === "day" || count.unit === "week") {
    day = dayAt(civil(first, n * DAY * (count.unit === "week" ? 7 : 1)));
  } else {
    const months = first[0] * 12 + first[1] - 1 + n * (count.unit === "year" ? 12 : 1);
    const [year, month] = [Math.floor(months / 12), (((months % 12) + 12) % 12) + 1];
    if (year < 0 || year > 9999) return null;
    day = [year, month, Math.min(first[2], lastDay(year, month))];
    clamped = day[2] !== first[2];
  }
  const shifted = (by) => dayAt(civil(day, by * DAY));
  if (counting === "inclusive" && n !== 0) day = shifted(back ? 1 : -1);
  const clock = event.day === undefined ? ((start % DAY) + DAY) % DAY : 0;
  const at = ends === "start-of-day" ? onDay(day, zone) : ends === "end-of-day" ? onDay(shifted(1), zone) : onDay(day, zone, clock);
  return at === null ? null : { at, day, clamped };
}

/** `3 h 12 min`, `5 days`. */
export function lengthOf(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / DAY), Math.floor((seconds % DAY) / 3600), Math.floor((seconds % 3600) / 60)];
  if (days > 0) return `${days} ${days === 1 ? "day" : "days"}${hours > 0 ? ` ${hours} h` : ""}`;
  if (hours > 0) return `${hours} h${minutes > 0 ? ` ${minutes} min` : ""}`;
  return minutes > 0 ? `${minutes} min` : `${seconds} s`;
}

/** The sentence for a length of time that was counted. */
export function counted(text, { counting, zone }, end, isHours) {
  if (isHours) return `Counted: ${text}.`;
  const counts = counting === "inclusive" ? "counts" : "does not count";
  const clamped = end.clamped ? ", as the month has no such day as that of the start" : "";
  return `Counted: ${text}, by the calendar in ${zone}; the day of the start ${counts}; the last day is ${dayText(end.day)}${clamped}.`;
}
