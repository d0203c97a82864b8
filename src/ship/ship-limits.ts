// The limits of config.ts that the ship stage obeys. They are passed whole, by their own names;
// tests shorten some of them.

import type { limits } from '../config.ts';

export type ShipLimits = {
  readonly [Name in keyof typeof limits as Name extends `ship${string}` ? Name : never]: number;
};
