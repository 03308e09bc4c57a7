/** How many rows are new, gone or in another place among those that stayed. */
export function differences(before: readonly string[], now: readonly string[]): number {
  const was = new Set(before);
  const is = new Set(now);
  const added = now.filter((id) => !was.has(id)).length;
  const gone = before.filter((id) => !is.has(id)).length;
  const stayed = before.filter((id) => is.has(id));
  const order = now.filter((id) => was.has(id));
  // the fewest rows that must move: all but the longest run that kept its order
  return Math.max(added, gone) + stayed.length - longestOrdered(order.map((id) => stayed.indexOf(id)));
}

function longestOrdered(places: number[]): number {
  const tails: number[] = [];
  for (const place of places) {
    const at = tails.findIndex((tail) => tail >= place);
    if (at === -1) tails.push(place);
    else tails[at] = place;
  }
  return tails.length;
}
