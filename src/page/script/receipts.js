// Who has received what: the heads in the file against the parties, with the time of each cosignature.
import { formerBy } from "./amendment.js";
import { h } from "./dom.js";
import { utc } from "./verdict.js";

export function receiptsTable(verdict, treaty) {
  const heads = [verdict.parts.main, ...verdict.parts.heads].sort((a, b) => (a.size < b.size ? -1 : 1));
  const earliest = new Map(verdict.receipts.map((receipt) => [receipt.party, receipt]));
  const cell = (party, head) => {
    const receipt = head.receipts.find(({ by }) => treaty.parties[by] === party);
    if (receipt === undefined) return h("td", { class: "none" }, "–");
    const first = earliest.get(party.code);
    const counts = first.time === receipt.time && first.size === Number(receipt.size);
    return h("td", { class: counts ? "counts" : "" }, utc(receipt.time));
  };
  const isFormer = (at) => formerBy(treaty, treaty.taken.length, at, verdict.logged) !== null;
  const rows = treaty.parties.map((party, at) => {
    const own = party === treaty.parties[verdict.parts.log];
    const received = earliest.has(party.code);
    const state = own ? "sender" : received ? "received" : "no receipt in this file";
    const cells = own ? [h("td", { class: "none", colspan: heads.length }, "the log's own party signs each head")] : heads.map((head) => cell(party, head));
    const roles = isFormer(at) ? " · former party" : party.roles.includes("depositary") ? " · depositary" : party.roles.includes("observer") ? " · observer" : "";
    const name = h("th", { scope: "row" }, party.name, h("span", { class: "code" }, ` ${party.code}${roles}`));
    return h("tr", { class: received ? "has" : "" }, name, h("td", { class: `state ${received ? "yes" : "no"}` }, state), cells);
  });
  const columns = heads.map((head) => h("th", { scope: "col" }, `head of ${head.size} records`));
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Matrix of receipts" },
    h(
      "table",
      {},
      h("caption", {}, "Each time is when that party signed, by its own clock (UTC), that it durably holds all records up to that head. The earliest of each party counts; it is set in bold."),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Party"), h("th", { scope: "col" }, "State"), columns)),
      h("tbody", {}, rows),
    ),
  );
}
