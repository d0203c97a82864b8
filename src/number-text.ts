// Numbers for people, on the status page and in `tailship top`.

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** `1.5 MB`: three digits and a decimal unit. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit < byteUnits.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Math.abs(value) < 9.95 && unit > 0 ? value.toFixed(1) : value.toFixed(0)} ${byteUnits[unit]}`;
}

/** `20,013`; below ten with one decimal when it is not whole. */
export function countText(count: number): string {
  const digits = Math.abs(count) < 10 && !Number.isInteger(count) ? 1 : 0;
  return count.toFixed(digits).replace(/\B(?=(?:\d{3})+(?!\d))/g, ',');
}

/** `0.4 s`, `12 s`, `1 m 40 s`, `25 m`, `3 h 20 m`, `2 d 4 h`. */
export function durationText(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${seconds.toFixed(0)} s`;
  const minutes = Math.floor(seconds / 60);
  const left = Math.floor(seconds % 60);
  if (minutes < 10 && left > 0) return `${minutes} m ${left} s`;
  if (minutes < 60) return `${minutes} m`;
  const hours = Math.floor(minutes / 60);
  return hours < 24
    ? `${hours} h ${minutes % 60} m`
    : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `$0.42`, `$12`, `$1,234`: an estimate has no cents above ten. */
export function moneyText(dollars: number): string {
  if (dollars > 0 && dollars < 0.005) return '< $0.01';
  return dollars < 9.995 ? `$${dollars.toFixed(2)}` : `$${countText(Math.round(dollars))}`;
}

/** `1 log`, `2 logs`. */
export function pluralText(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`;
}
