// Keeps counters from falling that are computed from several readings: Prometheus takes a fall for
// a restart, and all of the sum for new.

/** Returns the value, or what it returned before for this name if that was more. */
export type Rising = (name: string, value: number) => number;

export function createRising(): Rising {
  const most = new Map<string, number>();
  return (name, value) => {
    const risen = Math.max(value, most.get(name) ?? value);
    most.set(name, risen);
    return risen;
  };
}
