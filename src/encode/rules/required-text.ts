// Finds a text that every match of an RE2 pattern contains, so that bytes can be searched before
// anything is parsed.
//
// Invariant: every text that the pattern matches contains the text found; in doubt, none is found.

/** A shorter text occurs in too many lines. */
const charactersMin = 3;

export type RequiredText = {
  readonly text: string;
  /** The pattern is this text and nothing else. */
  readonly isWhole: boolean;
};

/** Groups with flags, quoted texts, numeric escapes and named classes. */
const unsure = /\(\?(?!:|P?<[A-Za-z])|\\[QExpP0-7CzZ]/;

/** The end of the class or group at `start`. */
function pastBracket(pattern: string, start: number): number {
  let depth = 0;
  let isInClass = false;
  for (let at = start; at < pattern.length; at++) {
    const character = pattern[at];
    if (character === '\\') at++;
    else if (isInClass) isInClass = character !== ']';
    else if (character === '[') {
      isInClass = true;
      // A bracket at the start of a class is a literal.
      if (pattern[at + 1] === '^') at++;
      if (pattern[at + 1] === ']') at++;
    } else if (character === '(') depth++;
    else if (character === ')') depth--;
    if (depth === 0 && !isInClass) return at + 1;
  }
  return pattern.length;
}

/** The longest text that must occur; undefined if there is none. */
export function requiredText(pattern: string): RequiredText | undefined {
  if (unsure.test(pattern)) return undefined;
  let [best, run] = ['', ''];
  let isWhole = true;
  const endRun = (): void => {
    if (run.length > best.length) best = run;
    run = '';
    isWhole = false;
  };
  for (let at = 0; at < pattern.length;) {
    const character = pattern[at] ?? '';
    const escaped = pattern[at + 1] ?? '';
    if (character === '|') return undefined;
    if ('?*{'.includes(character)) {
      // The preceding character or group is optional.
      run = run.slice(0, -1);
      endRun();
      at = character === '{' ? pattern.indexOf('}', at) + 1 || pattern.length : at + 1;
    } else if ('+.^$)'.includes(character)) {
      endRun();
      at += 1;
    } else if (character === '(' || character === '[') {
      endRun();
      at = pastBracket(pattern, at);
    } else if (character === '\\') {
      if (/[A-Za-z0-9]/.test(escaped) || escaped === '') endRun();
      else run += escaped;
      at += 2;
    } else {
      run += character;
      at += 1;
    }
  }
  const whole = isWhole;
  endRun();
  if (best.length < charactersMin || best.includes('\ufffd') || !best.isWellFormed()) {
    return undefined;
  }
  return { text: best, isWhole: whole };
}

const plain = String.raw`[A-Za-z0-9 /_,:;"'=<>@#%&!~-]*`;
const oneGroup = new RegExp(
  String.raw`^(${plain})\((?:\?:)?(${plain}(?:\|${plain})*)\)(${plain})$`,
);
const alternativesMax = 8;

/** The alternatives of a pattern that is plain except for one group of plain texts. */
export function alternativesOf(pattern: string): readonly string[] | undefined {
  const [, before = '', group, after = ''] = oneGroup.exec(pattern) ?? [];
  const texts = group?.split('|').map((text) => `${before}${text}${after}`) ?? [];
  const areLong = texts.every((text) => text.length >= charactersMin);
  return texts.length > 0 && texts.length <= alternativesMax && areLong ? texts : undefined;
}
