import type { TacticContext } from './contract.ts';
import { PROGRESS_MS } from './tuning.ts';

/** Tells the other how far this side is, for the odds that both show. */
export class ProgressReports {
  readonly #context: TacticContext;
  #toldAt = Number.NEGATIVE_INFINITY;
  #told = '';

  constructor(context: TacticContext) {
    this.#context = context;
  }

  tell(now: number, count: number, done: boolean): void {
    const text = `${count} ${done}`;
    if (text === this.#told || (!done && now < this.#toldAt + PROGRESS_MS)) return;
    this.#told = text;
    this.#toldAt = now;
    this.#context.act({ type: 'send', message: { t: 'punch-progress', id: this.#context.plan.id, count, done } });
  }
}

/** How far the other is by its word, within the plan: it never goes back, but an older word may come last. */
export function latest(before: number, told: number, most: number): number {
  return Math.max(before, Math.min(told, most));
}
