// The text that a pattern of RE2 cannot match without, so that bytes can be searched before
// anything is parsed.
//
// The invariant: every text that the pattern matches holds the one that is found; where that is not
// sure, none is found.

/** A shorter one is in too many lines. */
const charactersMin = 3;

export type RequiredText = {
  readonly text: string;
  /** The pattern is this text and nothing else. */
  readonly isWhole: boolean;
};

/** Groups with flags, quoted texts, characters by number and classes by name. */
const unsure = /\(\?(?!:|P?<[A-Za-z])|\\[QExpP0-7CzZ]/;

/** Past the class or group that begins at `start`. */
function pastBracket(pattern: string, start: number): number {
  let depth = 0;
  let isInClass = false;
  for (let at = start; at < pattern.length; at++) {
    const character = pattern[at];
    if (character === '\\') at++;
    else if (isInClass) isInClass = character !== ']';
    else if (character === '[') {
      isInClass = true;
      // A bracket that is first in its class is one of its characters.
      if (pattern[at + 1] === '^') at++;
      if (pattern[at + 1] === ']') at++;
    } else if (character === '(') depth++;
    else if (character === ')') depth--;
    if (depth === 0 && !isInClass) return at + 1;
  }
  return pattern.length;
}

/** The longest of the texts that must be there; undefined where there is none. */
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
      // What is before it may be missing, and so may what a group was.
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

/** The texts that a pattern stands for which is plain but for one group of plain texts. */
export function alternativesOf(pattern: string): readonly string[] | undefined {
  const [, before = '', group, after = ''] = oneGroup.exec(pattern) ?? [];
  const texts = group?.split('|').map((text) => `${before}${text}${after}`) ?? [];
  const areLong = texts.every((text) => text.length >= charactersMin);
  return texts.length > 0 && texts.length <= alternativesMax && areLong ? texts : undefined;
}
