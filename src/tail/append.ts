// Lists that mostly hold one item, of which there are many.

/** The items and one more. `push` would take room for 17. */
export function append<Item>(items: readonly Item[], item: Item): readonly Item[] {
  return items.length === 0 ? [item] : [...items, item];
}
