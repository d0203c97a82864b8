// Keeps counters that are computed from several readings from falling: Prometheus takes a fall for
// a restart, and counts the whole sum again.

/** Returns the largest value so far for this name. */
export type Rising = (name: string, value: number) => number;

export function createRising(): Rising {
  const most = new Map<string, number>();
  return (name, value) => {
    const risen = Math.max(value, most.get(name) ?? value);
    most.set(name, risen);
    return risen;
  };
}
