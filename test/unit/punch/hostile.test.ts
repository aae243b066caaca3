/** Members that ask for punches without end, or answer with nonsense, cost this client's router no more than its budget. */
import { describe, expect, it } from 'vitest';
import { MAX_MAPPINGS, MAX_SESSIONS, PROBE_BURST, PROBES_PER_SECOND } from '../../../engine/core/budget.ts';
import type { NatReport } from '../../../protocol/nat.ts';
import { peerMessage } from '../../../protocol/peer.ts';
import { type PunchMessage, type PunchStrategy, punchMessages } from '../../../protocol/punch.ts';
import { Client, COUNTER, densest, EASY, RANDOM } from './client.ts';

const TEN_MINUTES = 600_000;

function plan(id: number, strategy: PunchStrategy): PunchMessage {
  return {
    t: 'punch-plan',
    id: id.toString(16).padStart(16, '0'),
    strategy,
    sockets: 256,
    probes: 2_000,
    ranges: [{ low: 1, high: 65_535, weight: 1 }],
  };
}

function expectWithinBudget(client: Client, mappings: boolean): void {
  const pings = client.pings.map(({ at }, i) => ({ at, key: String(i) }));
  const sessions = client.pings.map(({ at, socket, remote }) => ({ at, key: `${socket} ${remote}` }));
  expect(densest(pings, 1_000)).toBeLessThanOrEqual(PROBES_PER_SECOND + PROBE_BURST);
  expect(densest(sessions, 120_000)).toBeLessThanOrEqual(mappings ? MAX_MAPPINGS : MAX_SESSIONS);
}

describe('two members that ask for punches without end', () => {
  it.each([
    ['an easy side', EASY, 'birthday'],
    ['a counting side', COUNTER, 'crossing'],
    ['a random side', RANDOM, 'bracket'],
  ] as const)('get from %s what its budget allows', async (_name, nat, strategy) => {
    const client = new Client(nat);
    client.join('eve', COUNTER);
    client.join('mal', COUNTER);
    let id = 0;
    await client.run(TEN_MINUTES, 250, () => {
      for (const key of ['eve', 'mal']) {
        client.punches.message(key, plan(++id, strategy));
        const asked = id.toString(16).padStart(16, '0');
        for (let round = 1; round <= 3; round++) {
          const ports = Array.from({ length: 64 }, (_, i) => 1_024 + ((id * 64 + round * 7 + i) % 60_000));
          client.punches.message(key, { t: 'punch-ask', id: asked, round: (id % 1_000) + 1 });
          client.punches.message(key, { t: 'punch-aim', id: asked, round: (id % 900) + round, ports });
        }
        client.punches.message(key, { t: 'punch-end', id: asked });
      }
    });
    expectWithinBudget(client, nat !== EASY);
    expect(client.open.size).toBeLessThan(16);
    const refused = client.sent.filter(({ message }) => message.t === 'punch-refuse').length;
    expect(refused).toBeGreaterThan(id / 2);
  });
});

describe('a plan that comes while another is carried out', () => {
  it('is refused, and the one that runs goes on undisturbed', async () => {
    const client = new Client(EASY);
    for (const key of ['ann', 'eve']) client.join(key, RANDOM);
    client.punches.message('ann', plan(1, 'birthday'));
    await client.run(500);
    const before = client.pings.length;
    client.punches.message('eve', plan(2, 'birthday'));
    expect(client.sent.at(-1)).toMatchObject({ to: 'eve', message: { t: 'punch-refuse', code: 'busy' } });
    expect(client.punches.view('eve')).toBeNull();
    expect(client.punches.view('ann')?.phase).toBe('probing');
    await client.run(500);
    expect(client.pings.length).toBeGreaterThan(before);
  });

  it('is not even looked at where the member has not proved who it is', async () => {
    const client = new Client(EASY);
    client.join('eve', RANDOM, false);
    client.punches.message('eve', plan(1, 'birthday'));
    await client.run(500);
    expect(client.sent).toEqual([]);
    expect(client.pings).toEqual([]);
  });
});

describe('a leader whose plans are never answered', () => {
  it('asks less and less, and at last no more', async () => {
    const client = new Client(RANDOM);
    client.join('ann', EASY);
    await client.run(3_600_000, 500);
    const plans = client.sent.filter(({ message }) => message.t === 'punch-plan');
    expect(plans.length).toBeGreaterThan(3);
    expect(plans.length).toBeLessThan(12);
    expect(client.open.size).toBe(0);
  });

  it('doubts its own label: what does not count is guessed', async () => {
    const client = new Client(COUNTER);
    client.join('ann', EASY);
    let answered = 0;
    await client.run(120_000, 500, () => {
      for (const { to, message } of client.sent.slice(answered)) {
        if (message.t === 'punch-plan') client.punches.message(to, { t: 'punch-accept', id: message.id });
      }
      answered = client.sent.length;
    });
    const plans = client.sent.flatMap(({ message }) => (message.t === 'punch-plan' ? [message.strategy] : []));
    expect(plans.slice(0, 2)).toEqual(['bracket', 'birthday']);
  });

  it('learns nothing of a plan that nobody answers: the same one again', async () => {
    const client = new Client(COUNTER);
    client.join('ann', EASY);
    await client.run(60_000, 500);
    const plans = client.sent.flatMap(({ message }) => (message.t === 'punch-plan' ? [message.strategy] : []));
    expect(plans.length).toBeGreaterThan(2);
    expect(new Set(plans)).toEqual(new Set(['bracket']));
  });

  it('keeps to its budget when everything is accepted and nothing ever works', async () => {
    const client = new Client(RANDOM);
    const friends = Array.from({ length: 30 }, (_, i) => `friend ${i}`);
    for (const key of friends) client.join(key, EASY);
    let answered = 0;
    await client.run(TEN_MINUTES, 100, () => {
      for (const { to, message } of client.sent.slice(answered)) {
        if (message.t === 'punch-plan') client.punches.message(to, { t: 'punch-accept', id: message.id });
      }
      answered = client.sent.length;
    });
    expectWithinBudget(client, true);
    for (const key of friends) client.leave(key);
    await client.run(1_000);
    expect(client.open.size).toBe(0);
  });
});

describe('with punching switched off', () => {
  it('no plan of more than eight sockets is answered or made', async () => {
    const client = new Client(RANDOM);
    client.settings = { hardNat: false, relayOnly: false };
    client.join('eve', EASY);
    await client.run(10_000);
    client.punches.message('eve', plan(1, 'birthday'));
    expect(client.sent.map(({ message }) => message)).toEqual([
      { t: 'punch-refuse', id: '0000000000000001', code: 'off' },
    ]);
    expect(client.punches.reason('eve')).toBe('hard-nat-off');
    expect(client.pings).toEqual([]);
  });
});

describe('a punch message that passes its bounds', () => {
  it.each([
    { ...plan(1, 'birthday'), sockets: 257 },
    { ...plan(1, 'birthday'), probes: 2_001 },
    { ...plan(1, 'birthday'), ranges: [{ low: 2, high: 1, weight: 1 }] },
    { ...plan(1, 'birthday'), ranges: [] },
    { t: 'punch-aim', id: '0000000000000001', round: 1, ports: Array.from({ length: 65 }, () => 1_024) },
    { t: 'punch-aim', id: '0000000000000001', round: 1, ports: [0] },
    { t: 'punch-counter', id: '1', round: 1, port: 5_000, step: 1 },
  ])('is no message at all: %o', (message) => {
    expect(peerMessage.safeParse(message).success).toBe(false);
  });

  // Guesses are drawn from there, and the device takes no other port.
  it.each([{ low: 0 }, { low: -10, high: -1 }, { high: 65_536 }, { low: 1.5 }])(
    'nor is a report with ports that are none: %o',
    (ports) => {
      const told = (nat: NatReport) => ({ t: 'candidates', revision: 1, candidates: [], nat });
      expect(peerMessage.safeParse(told(RANDOM)).success).toBe(true);
      expect(peerMessage.safeParse(told({ ...RANDOM, ports: { ...RANDOM.ports, ...ports } })).success).toBe(false);
    },
  );

  it('while each kind with good bounds is one', () => {
    expect(peerMessage.safeParse(plan(1, 'crossing')).success).toBe(true);
    expect(punchMessages.length).toBeGreaterThan(8);
  });
});
