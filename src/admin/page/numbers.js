// Numbers for people, in the browser.

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB'];
const counts = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const smallCounts = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

/** `1.5 MB`: two or three digits and a decimal unit. @param {number} bytes */
export function bytesText(bytes) {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit < byteUnits.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = Math.abs(value) < 9.95 && unit > 0 ? 1 : 0;
  return `${value.toFixed(digits)} ${byteUnits[unit]}`;
}

/** `20,013`; below ten with one decimal when it is not whole. @param {number} count */
export function countText(count) {
  return (Math.abs(count) < 10 ? smallCounts : counts).format(count);
}

/** `0.4 s`, `12 s`, `1 m 40 s`, `25 m`, `3 h 20 m`, `2 d 4 h`. @param {number} seconds */
export function durationText(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${seconds.toFixed(0)} s`;
  const minutes = Math.floor(seconds / 60);
  const left = Math.floor(seconds % 60);
  if (minutes < 10 && left > 0) return `${minutes} m ${left} s`;
  if (minutes < 60) return `${minutes} m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} m`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `$0.42`, `$12`, `$1,234`: what is estimated has no cents above ten. @param {number} dollars */
export function moneyText(dollars) {
  if (dollars > 0 && dollars < 0.005) return '< $0.01';
  return `$${dollars < 9.995 ? dollars.toFixed(2) : counts.format(dollars)}`;
}

/** `0`, `< 0.1 %`, `2.4 %`, `18 %` of 0.18. @param {number} share 0 to 1 */
export function shareText(share) {
  const percent = share * 100;
  if (percent === 0) return '0';
  if (percent < 0.1) return '< 0.1 %';
  return `${percent.toFixed(percent < 9.95 ? 1 : 0)} %`;
}
