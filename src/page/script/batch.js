// Work side by side: the browser verifies several signatures at once, and never more than so many wait.

/** So many items are read and checked at once, and then the page is drawn again. */
const BATCH = 128;

/** The items of an iterator in stretches of at most [`BATCH`]. What it throws comes after the items before it. */
export function* batches(items) {
  const iterator = items[Symbol.iterator]();
  for (let failure, done = false; !done; ) {
    const batch = [];
    while (batch.length < BATCH && !done) {
      try {
        const next = iterator.next();
        if (next.done) done = true;
        else batch.push(next.value);
      } catch (error) {
        [failure, done] = [{ error }, true];
      }
    }
    if (batch.length > 0) yield batch;
    if (failure !== undefined) throw failure.error;
  }
}

/** What a function makes of each item, all at once: `take` gives the results in order, and throws what failed in its place. */
export function sideBySide(items, work) {
  const settled = items.map((item) => work(item).then((value) => ({ value }), (error) => ({ error })));
  return async function take(at) {
    const { value, error } = await settled[at];
    if (error !== undefined) throw error;
    return value;
  };
}

/** Lets the browser draw and answer. */
export function breathe() {
  return new Promise((resolve) => setTimeout(resolve));
}
