/** The table of the queue's bench. */
import { digits, median, quantile, table } from './figures.ts';

export interface Flow {
  /** Milliseconds. */
  delays: readonly number[];
  sent: number;
}

export interface Row {
  what: string;
  idle: Flow;
  loaded: Flow;
  /** What the other traffic had meanwhile, Mbit/s. */
  rates: readonly number[];
  beside: (rates: readonly string[]) => string;
  /** Milliseconds that p99 may be above the idle p50; null: nobody promised any. */
  goalMs: number | null;
}

/** A row as one round gave it. */
export interface Turn extends Row {
  /** What the host took of the processors' time, 0 to 1. */
  stolen: number;
}

const above = ({ idle, loaded }: Row): number => quantile(loaded.delays, 0.99) - quantile(idle.delays, 0.5);

/**
 * Of each row the third of its rounds in which the host took least time from the machine: medians, and the largest delay; what
 * was lost is of all rounds. `rows`: by row, then by round.
 */
export function report(rows: readonly (readonly Turn[])[]): string {
  const head = [
    '',
    'idle p50, ms',
    'idle p99',
    'loaded p50',
    'loaded p99',
    'loaded max',
    'lost',
    'p99 above idle p50',
    'goal',
    'of all rounds',
    'stolen, %',
    'beside it',
  ];
  const lines = rows.map((all) => {
    const turns = all.toSorted((a, b) => a.stolen - b.stolen).slice(0, Math.ceil(all.length / 3));
    const [{ what, goalMs, beside: traffic, rates }] = turns as [Turn];
    const of = (pick: (turn: Turn) => number, among: readonly Turn[] = turns) => digits(median(among.map(pick)));
    const sum = (pick: (turn: Turn) => number) => all.reduce((total, turn) => total + pick(turn), 0);
    const range = [Math.min(...all.map(above)), Math.max(...all.map(above))].map(digits).join(' to ');
    return [
      what,
      of(({ idle }) => quantile(idle.delays, 0.5)),
      of(({ idle }) => quantile(idle.delays, 0.99)),
      of(({ loaded }) => quantile(loaded.delays, 0.5)),
      of(({ loaded }) => quantile(loaded.delays, 0.99)),
      digits(Math.max(...turns.map(({ loaded }) => Math.max(...loaded.delays)))),
      `${sum(({ loaded }) => loaded.sent - loaded.delays.length)} of ${sum(({ loaded }) => loaded.sent)}`,
      of(above),
      goalMs === null ? '' : `${goalMs}, none lost`,
      `${of(above, all)} (${range})`,
      `${of((turn) => 100 * turn.stolen)}; ${of((turn) => 100 * turn.stolen, all)}`,
      traffic(rates.map((_, index) => of((turn) => turn.rates[index] ?? Number.NaN))),
    ];
  });
  return table([head, ...lines]);
}
