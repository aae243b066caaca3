import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAPPING_RESERVE, MAX_MAPPINGS } from '../../../engine/core/budget.ts';
import type { PunchMessage, PunchStrategy } from '../../../protocol/punch.ts';
import { ID, Run } from './run.ts';

describe('an attempt', () => {
  it('proposes, and gives up where nobody answers', () => {
    const run = new Run('leader', 'birthday');
    expect(run.sent('punch-plan')).toHaveLength(1);
    expect(run.pings()).toEqual([]);
    run.pass(3_100);
    expect(run.outcome()).toBe('silent');
  });

  it('ends with the code of a refusal', () => {
    const run = new Run('leader', 'birthday');
    run.hears({ t: 'punch-refuse', id: ID, code: 'busy' });
    expect(run.outcome()).toBe('busy');
  });

  it('ignores messages of other attempts', () => {
    const run = new Run('leader', 'birthday');
    run.hears({ t: 'punch-accept', id: '00000000000000bb' });
    expect(run.attempt.view()?.phase).toBe('proposed');
  });

  it('nominates when a path stands, again until it is heard, and closes two seconds later', () => {
    const run = new Run('leader', 'birthday');
    run.hears({ t: 'punch-accept', id: ID });
    run.pass(500);
    run.handle({ type: 'direct', port: 4_242 });
    run.pass(900);
    expect(run.sent('punch-nominate').length).toBeGreaterThan(1);
    expect(run.sent('punch-nominate')[0]).toEqual({ t: 'punch-nominate', id: ID, port: 4_242 });
    const pings = run.pings().length;
    run.hears({ t: 'punch-nominated', id: ID });
    run.pass(1_900);
    expect(run.outcome()).toBeNull();
    run.pass(200);
    expect(run.outcome()).toBe('direct');
    expect(run.pings().length).toBe(pings);
  });

  it('opens nothing where the checks were faster than the answer to its plan', () => {
    const run = new Run('leader', 'birthday');
    run.handle({ type: 'direct', port: null });
    run.hears({ t: 'punch-accept', id: ID });
    run.pass(500);
    expect(run.outcome()).toBe('direct');
    expect(run.sent('punch-end')).toHaveLength(1);
    expect(run.pings()).toEqual([]);
  });

  it('has succeeded with its path, though the other gives up, and is then over in two seconds', () => {
    for (const role of ['leader', 'follower'] as const) {
      const run = new Run(role, 'birthday');
      run.hears({ t: 'punch-accept', id: ID });
      run.handle({ type: 'direct', port: null });
      for (let second = 0; second < 2; second++) {
        run.hears({ t: 'punch-end', id: ID });
        expect(run.outcome()).toBeNull();
        run.pass(1_000);
      }
      expect(run.outcome()).toBe('direct');
    }
  });

  it('as follower sprays no port twice, never nominates, and checks the address that it is told', () => {
    const run = new Run('follower', 'birthday');
    run.pass(3_000);
    const ports = run.pings().map(({ port }) => port);
    expect(ports.length).toBe(300);
    expect(new Set(ports).size).toBe(300);
    run.hears({ t: 'punch-nominate', id: ID, port: 4_242 });
    expect(run.actions).toContainEqual({ type: 'heard', remote: { ip: '198.51.100.7', port: 4_242 } });
    expect(run.sent('punch-nominated')).toHaveLength(1);
    expect(run.sent('punch-nominate')).toEqual([]);
    run.pass(2_100);
    expect(run.outcome()).toBe('direct');
  });

  it('as follower waits to be told where it is direct first, and tells it then', () => {
    const run = new Run('follower', 'birthday');
    run.pass(500);
    const pings = run.pings().length;
    run.handle({ type: 'direct', port: 4_242 });
    run.pass(900);
    expect(run.sent('punch-nominate')).toEqual([]);
    expect(run.pings()).toHaveLength(pings);
    run.hears({ t: 'punch-nominate', id: ID, port: 4_242 });
    expect(run.sent('punch-nominated')).toHaveLength(1);
    run.pass(2_100);
    expect(run.outcome()).toBe('direct');
  });

  it('opens half of its sockets short of the other router at first, and all of them after a failure', () => {
    const shares = [0, 1].map((failures) => {
      const run = new Run('leader', 'birthday', { failures });
      run.hears({ t: 'punch-accept', id: ID });
      run.pass(500);
      const pings = run.pings();
      expect(pings).toHaveLength(40);
      return pings.filter(({ ttl }) => ttl !== undefined).length / pings.length;
    });
    expect(shares).toEqual([0.5, 1]);
  });

  it('opens towards the one endpoint at first, and after a failure a part towards each that some server saw', () => {
    const aims = (failures: number) => {
      const elsewhere = [{ ip: '198.51.100.7', port: 30_000 }];
      const run = new Run('leader', 'birthday', { failures, elsewhere });
      run.hears({ t: 'punch-accept', id: ID });
      run.pass(3_000);
      const ports = new Map(run.pings().map(({ socket, port }) => [socket, port]));
      return [7_000, 30_000].map((port) => [...ports.values()].filter((aimed) => aimed === port).length);
    };
    const [all = 0] = aims(0);
    expect(aims(0)).toEqual([all, 0]);
    expect(aims(1)).toEqual([all / 2, all / 2]);
  });

  it('brackets: probes only what lies between two measurements, in fresh rounds', () => {
    const run = new Run('leader', 'bracket');
    run.hears({ t: 'punch-accept', id: ID });
    const [before, , last] = [...run.open];
    run.handle({ type: 'mapped', socket: before as number, port: 5_000 });
    run.handle({ type: 'mapped', socket: last as number, port: 5_004 });
    expect(run.sent('punch-aim')).toEqual([{ t: 'punch-aim', id: ID, round: 1, ports: [5_001, 5_002, 5_003] }]);
    run.pass(10_000);
    expect(run.outcome()).toBe('exhausted');
    expect(run.open.size).toBeLessThanOrEqual(6);
    expect(run.pings().length).toBeLessThanOrEqual(16);
  });

  it('ends a crossing when two servers in turn count something else than its burst', () => {
    const run = new Run('leader', 'crossing');
    run.hears({ t: 'punch-accept', id: ID });
    const turns: number[] = [];
    for (let round = 1; round <= 2; round++) {
      const before = run.actions.length;
      run.hears({ t: 'punch-counter', id: ID, round, port: 5_000, step: 1 });
      const asked = run.actions.slice(before).filter((action) => action.type === 'stun');
      expect(asked).toHaveLength(2);
      for (const [i, { socket, turn }] of asked.entries()) {
        turns.push(turn);
        run.handle({ type: 'mapped', socket, port: 20_000 + i });
      }
      run.pass(300);
    }
    expect(turns).toEqual([0, 0, 1, 1]);
    expect(run.sent('punch-aim')).toEqual([]);
    expect(run.outcome()).toBe('exhausted');
  });

  it('ambushes: every mapping waits at one port ahead of the counter, which then walks past it', () => {
    const run = new Run('leader', 'ambush');
    run.hears({ t: 'punch-accept', id: ID });
    run.hears({ t: 'punch-counter', id: ID, round: 1, port: 5_000, step: 2 });
    run.pass(400);
    // Four of others in 400 ms, and the measurement's own.
    run.hears({ t: 'punch-counter', id: ID, round: 2, port: 5_010, step: 2 });
    run.pass(300);
    const [target, ...others] = new Set(run.pings().map(({ port }) => port));
    expect(run.pings()).toHaveLength(40);
    expect(others).toEqual([]);
    expect(target).toBeGreaterThan(5_010 + 2 * 12);
    expect(run.attempt.view()?.odds).toBeCloseTo(40 / 8_000, 6);
    run.hears({ t: 'punch-counter', id: ID, round: 3, port: (target as number) - 20, step: 2 });
    const [aim] = run.sent('punch-aim');
    const walked = aim?.t === 'punch-aim' ? aim.ports.length : 0;
    expect(walked).toBeGreaterThanOrEqual(10 + 8);
    expect(walked).toBeLessThan(10 + 8 + 5);
    run.pass(500);
    // Past it: there is nothing left to wait for.
    run.hears({ t: 'punch-counter', id: ID, round: 4, port: (target as number) + 20, step: 2 });
    expect(run.outcome()).toBe('exhausted');
  });

  it('ambushes a busy counter when it has come near by itself, because others take the port of a long walk', () => {
    const run = new Run('leader', 'ambush');
    run.hears({ t: 'punch-accept', id: ID });
    run.hears({ t: 'punch-counter', id: ID, round: 1, port: 5_000, step: 1 });
    run.pass(400);
    run.hears({ t: 'punch-counter', id: ID, round: 2, port: 5_161, step: 1 });
    run.pass(200);
    const target = run.pings()[0]?.port as number;
    const asks = () => run.sent('punch-ask').length;
    expect(asks()).toBe(3);
    run.hears({ t: 'punch-counter', id: ID, round: 3, port: target - 350, step: 1 });
    for (let turn = 0; turn < 100 && asks() === 3; turn++) run.pass(10);
    expect(run.sent('punch-aim')).toEqual([]);
    run.hears({ t: 'punch-counter', id: ID, round: 4, port: target - 80, step: 1 });
    run.pass(50);
    expect(run.sent('punch-aim')).toEqual([]);
    run.pass(300);
    expect(asks()).toBe(4);
    const [aim] = run.sent('punch-aim');
    expect(aim?.t === 'punch-aim' && aim.ports.length).toBe(48 + 8);
  });

  it('ambushes a port that is kept with one probe', () => {
    const run = new Run('leader', 'ambush');
    run.hears({ t: 'punch-accept', id: ID });
    run.hears({ t: 'punch-counter', id: ID, round: 1, port: 41_000, step: 0 });
    run.pass(300);
    expect(new Set(run.pings().map(({ port }) => port))).toEqual(new Set([41_000]));
    const [aim] = run.sent('punch-aim');
    expect(aim?.t === 'punch-aim' && aim.ports.length).toBe(1);
  });

  it('always ends, within its plan, whatever it hears', () => {
    const message = fc.oneof(
      fc.constantFrom<PunchMessage>(
        { t: 'punch-accept', id: ID },
        { t: 'punch-nominated', id: ID },
        { t: 'punch-nominate', id: ID, port: null },
        { t: 'punch-progress', id: ID, count: 99_999, done: true },
      ),
      fc
        .integer({ min: 0, max: 500 })
        .map((count): PunchMessage => ({ t: 'punch-progress', id: ID, count, done: false })),
      fc.integer({ min: 1, max: 1_000 }).map((round): PunchMessage => ({ t: 'punch-ask', id: ID, round })),
      fc
        .integer({ min: 1, max: 1_000 })
        .map((round): PunchMessage => ({ t: 'punch-counter', id: ID, round, port: 5_000, step: 3 })),
      fc
        .tuple(fc.integer({ min: 1, max: 1_000 }), fc.array(fc.integer({ min: 1, max: 65_535 }), { maxLength: 64 }))
        .map(([round, ports]): PunchMessage => ({ t: 'punch-aim', id: ID, round, ports })),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('leader', 'follower'),
        fc.constantFrom('birthday', 'bracket', 'crossing', 'ambush'),
        // Where neither filter looks at ports: a block that is smaller than the other's guesses are many.
        fc.constantFrom(null, [{ low: 5_000, high: 5_015, weight: 1 }]),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 900 }), message), { maxLength: 40 }),
        (role, strategy, followerRanges, words) => {
          const run = new Run(role, strategy, { followerRanges });
          for (const [pause, word] of words) {
            run.pass(pause);
            run.hears(word);
          }
          run.pass(30_000);
          expect(run.outcome()).not.toBeNull();
          const guesses = run.pings().filter(({ port }) => port !== 7_000);
          expect(guesses.length).toBeLessThanOrEqual(300);
          expect(run.odds.every((odds, i) => odds >= (run.odds[i - 1] ?? 0) && odds <= 1)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('an attempt that waits for the budget', () => {
  it.each(['birthday', 'bracket', 'crossing', 'ambush'] as const)(
    'asks to be woken later, not at once: %s',
    (strategy) => {
      const run = new Run('leader', strategy);
      run.hears({ t: 'punch-accept', id: ID });
      run.pass(300);
      run.exhaustBudget();
      run.pass(700);
      for (let turn = 0; turn < 100 && run.outcome() === null; turn++) {
        const wake = run.actions.findLast((action) => action.type === 'wake');
        if (wake?.type !== 'wake') throw new Error('it never asked');
        expect(wake.at).toBeGreaterThan(run.now);
        run.now = wake.at;
        run.handle({ type: 'tick' });
      }
    },
  );
});

describe('an attempt on a host that is out of sockets', () => {
  const begun = (strategy: PunchStrategy, sockets: number, sparing = false): Run => {
    const run = new Run('leader', strategy, { sparing });
    run.hostHas = sockets;
    run.hears({ t: 'punch-accept', id: ID });
    return run;
  };

  it('goes on with those that it has, and asks for no more', () => {
    const run = begun('ambush', 25);
    run.hears({ t: 'punch-counter', id: ID, round: 1, port: 5_000, step: 1 });
    run.pass(400);
    run.hears({ t: 'punch-counter', id: ID, round: 2, port: 5_004, step: 1 });
    run.pass(300);
    const [ping] = run.pings();
    run.hears({ t: 'punch-counter', id: ID, round: 3, port: (ping?.port ?? 0) - 10, step: 1 });
    expect(run.sent('punch-aim')).toHaveLength(1);
    expect(new Set(run.pings().map(({ socket }) => socket)).size).toBe(25);
    expect(run.actions.filter(({ type }) => type === 'open').length).toBeLessThan(4);
  });

  it.each([false, true])('ends when all that it has have missed; sparing: %s', (sparing) => {
    const run = begun('birthday', 20, sparing);
    run.hears({ t: 'punch-progress', id: ID, count: 300, done: true });
    run.pass(4_000);
    expect(run.outcome()).toBe('exhausted');
  });

  it('ends at once where there are none', () => {
    for (const strategy of ['birthday', 'ambush'] as const) {
      const run = begun(strategy, 0);
      run.hears({ t: 'punch-counter', id: ID, round: 1, port: 41_000, step: 0 });
      run.pass(100);
      expect(run.outcome()).toBe('exhausted');
    }
  });
});

describe('an attempt that reuses sockets', () => {
  const reused = Array.from({ length: 30 }, (_, i) => 100 + i);

  /** So many mappings of others stand, and all of the reused sockets', towards this port. */
  function begun(mappings: number, port?: number): Run {
    const run = new Run('leader', 'birthday', { failures: 1, reused });
    run.exhaustBudget(mappings);
    if (port !== undefined) run.used(reused, port);
    run.hears({ t: 'punch-accept', id: ID });
    run.pass(1_000);
    return run;
  }

  it('pings from all of them where the budget has their mappings', () => {
    const sockets = new Set(
      begun(0)
        .pings()
        .map(({ socket }) => socket),
    );
    expect(reused.every((socket) => sockets.has(socket))).toBe(true);
  });

  it('makes no more mappings in one moment than the budget has', () => {
    const left = MAX_MAPPINGS - MAPPING_RESERVE - 2;
    const sockets = (run: Run) => new Set(run.pings().map(({ socket }) => socket)).size;
    expect(sockets(begun(left))).toBe(2);
    expect(sockets(begun(left - reused.length, 7_000))).toBe(reused.length + 2);
    // Another port of the same address is another mapping.
    expect(sockets(begun(left - reused.length, 7_001))).toBe(2);
  });

  it('counts a guess as the mapping that it makes, whatever stands towards the endpoint that is known', () => {
    const followerRanges = [{ low: 20_480, high: 22_527, weight: 1 }];
    const run = new Run('leader', 'birthday', { failures: 1, reused, followerRanges });
    run.exhaustBudget(MAX_MAPPINGS - MAPPING_RESERVE - 2 - reused.length);
    run.used(reused, 7_000);
    run.hears({ t: 'punch-accept', id: ID });
    run.pass(1_000);
    const made = new Set(run.pings().map(({ socket, port }) => `${socket} ${port}`));
    expect(made.size).toBe(2);
  });
});

describe('an attempt that spares mappings', () => {
  const spent = { t: 'punch-progress', id: ID, count: 300, done: true } as const;

  function begun(failures = 0): Run {
    const run = new Run('leader', 'birthday', { failures, sparing: true });
    run.hears({ t: 'punch-accept', id: ID });
    run.pass(1_000);
    return run;
  }

  it('opens a few at first, and the rest a few at a time when the probes are out', () => {
    const run = begun();
    expect(run.open.size).toBe(16);
    run.hears(spent);
    run.pass(300);
    expect(run.open.size).toBeGreaterThan(16);
    expect(run.open.size).toBeLessThan(30);
    run.pass(2_000);
    expect(run.open.size).toBe(40);
  });

  it('stops with the first path', () => {
    const run = begun();
    run.hears(spent);
    run.pass(200);
    run.handle({ type: 'direct', port: 5 });
    const opened = run.actions.filter(({ type }) => type === 'open').length;
    run.pass(1_000);
    expect(run.actions.filter(({ type }) => type === 'open')).toHaveLength(opened);
  });

  it('sends what must meet a probe all the way, however quiet it was before', () => {
    const run = begun(1);
    expect(run.pings().every(({ ttl }) => ttl !== undefined)).toBe(true);
    const before = run.pings().length;
    run.hears(spent);
    run.pass(1_000);
    const later = run.pings().slice(before);
    expect(later.length).toBeGreaterThan(0);
    expect(later.every(({ ttl }) => ttl === undefined)).toBe(true);
  });

  it('goes on where the word that they are out is lost, and gives up when all have missed', () => {
    const run = begun();
    run.pass(6_000);
    expect(run.open.size).toBe(40);
    run.pass(3_000);
    expect(run.outcome()).toBe('exhausted');
  });
});

describe('an attempt whose follower has no sessions left for more probes', () => {
  const refused = (standing: number) => {
    const run = new Run('leader', 'birthday', { failures: 1, sparing: true, standing });
    run.hears({ t: 'punch-refuse', id: ID, code: 'budget' });
    return run;
  };

  it('meets those of the attempt before, by packets that all arrive, a few at a time', () => {
    const run = refused(300);
    run.pass(100);
    expect(run.attempt.view()?.phase).toBe('probing');
    expect(run.pings().length).toBeGreaterThan(10);
    expect(run.pings().length).toBeLessThan(30);
    for (const { ttl } of run.pings()) expect(ttl).toBeUndefined();
    run.handle({ type: 'direct', port: 4_242 });
    run.pass(2_100);
    expect(run.outcome()).toBe('direct');
    expect(run.sent('punch-nominate')).toEqual([]);
  });

  it('waits for the budget where that gave too few mappings, and ends where nothing stands', () => {
    const run = refused(300);
    run.pass(20_000);
    expect(run.outcome()).toBe('budget');
    expect(refused(0).outcome()).toBe('budget');
    expect(refused(0).pings()).toEqual([]);
  });
});
