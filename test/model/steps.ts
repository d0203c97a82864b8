// Picks the next step of a random walk from a table of weighted steps.

import type { Random } from '../../src/emulator/kubelet/log-lines.ts';

type Walking = { readonly random: Random; readonly trail: string[] };

export type Step<World> = readonly [
  weight: number,
  name: string,
  take: (world: World) => void | Promise<void>,
];

/**
 * Takes one step, each as often as its weight says; `index` stands before its name in the trail.
 */
export async function takeStep<World extends Walking>(
  world: World,
  table: readonly Step<World>[],
  index: number,
): Promise<void> {
  let left = world.random.below(table.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, name, take] of table) {
    left -= weight;
    if (left >= 0) continue;
    world.trail.push(`${index} ${name}`);
    await take(world);
    return;
  }
}
