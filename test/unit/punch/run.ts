/** One attempt in virtual time, with a budget and a host of its own, and whatever a test lets it hear. */
import { Budget } from '../../../engine/core/budget.ts';
import { Attempt } from '../../../engine/core/punch/attempt.ts';
import type { PunchAction, PunchEvent, PunchOptions, PunchPlan } from '../../../engine/core/punch/contract.ts';
import type { PunchMessage, PunchStrategy } from '../../../protocol/punch.ts';
import { createRandom } from '../../sim/core/random.ts';

export const ID = '00000000000000aa';

function planOf(strategy: PunchStrategy): PunchPlan {
  return { id: ID, strategy, sockets: 40, probes: 300, ranges: [{ low: 2_000, high: 9_999, weight: 1 }] };
}

/** One attempt, its sockets, and everything that it did. */
export class Run {
  readonly attempt: Attempt;
  readonly actions: PunchAction[] = [];
  readonly open = new Set<number>();
  now = 1_000;
  /** As it showed them, one after the other. */
  readonly odds: number[] = [];
  /** Sockets that the host still has. */
  hostHas = Number.POSITIVE_INFINITY;
  #nextSocket = 2;
  readonly #budget = new Budget();

  constructor(role: PunchOptions['role'], strategy: PunchStrategy, change: Partial<PunchOptions> = {}) {
    const random = createRandom(`${role} ${strategy}`);
    this.attempt = new Attempt({
      role,
      plan: planOf(strategy),
      elsewhere: [],
      remote: { ip: '198.51.100.7', port: 7_000 },
      ports: { kind: 'sequential', step: 1 },
      lenient: false,
      standing: 0,
      followerRanges: null,
      dependent: role === 'leader',
      failures: 0,
      sparing: false,
      reused: [],
      budget: this.#budget,
      random: (length) => random.bytes(length),
      ...change,
    });
    this.handle({ type: 'begin' });
  }

  handle(event: PunchEvent): void {
    for (const action of this.attempt.handle(this.now, event)) this.#act(action);
    const odds = this.attempt.view()?.odds ?? null;
    if (odds !== null) this.odds.push(odds);
  }

  hears(message: PunchMessage): void {
    this.handle({ type: 'message', message });
  }

  pass(ms: number): void {
    const end = this.now + ms;
    while (this.now < end) {
      this.now += 10;
      this.handle({ type: 'tick' });
    }
  }

  exhaustBudget(mappings = 300): void {
    for (let port = 1; port <= mappings; port++) this.#budget.sent(this.now, 99, { ip: '192.0.2.1', port }, true);
  }

  used(sockets: number[], port: number): void {
    for (const socket of sockets) this.#budget.sent(this.now, socket, { ip: '198.51.100.7', port }, true);
  }

  sent(t: PunchMessage['t']): PunchMessage[] {
    return this.actions.flatMap((action) => (action.type === 'send' && action.message.t === t ? [action.message] : []));
  }

  outcome(): string | null {
    const end = this.actions.find((action) => action.type === 'end');
    return end?.type === 'end' ? end.outcome : null;
  }

  pings(): { socket: number; port: number; ttl: number | undefined }[] {
    return this.actions.flatMap((action) =>
      action.type === 'ping' ? [{ socket: action.socket, port: action.remote.port, ttl: action.ttl }] : [],
    );
  }

  #act(action: PunchAction): void {
    this.actions.push(action);
    if (action.type === 'close') for (const socket of action.sockets) this.open.delete(socket);
    if (action.type === 'ping') {
      this.#budget.take(this.now);
      this.#budget.sent(this.now, action.socket, action.remote, true);
    }
    if (action.type !== 'open') return;
    const length = Math.min(action.count, this.hostHas);
    this.hostHas -= length;
    const sockets = Array.from({ length }, () => ({ id: this.#nextSocket, port: this.#nextSocket++ }));
    for (const { id } of sockets) this.open.add(id);
    this.handle({ type: 'opened', sockets });
  }
}
