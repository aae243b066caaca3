/** The one hard plan of a client: when it begins, what ends it, and what is left of it. */
import { describe, expect, it } from 'vitest';
import type { NatReport } from '../../../protocol/nat.ts';
import type { PunchMessage } from '../../../protocol/punch.ts';
import { Client, COUNTER, EASY, RANDOM } from './client.ts';

function plans(client: Client): PunchMessage[] {
  return client.sent.flatMap(({ message }) => (message.t === 'punch-plan' ? [message] : []));
}

function planOf(id: number): PunchMessage {
  return {
    t: 'punch-plan',
    id: id.toString(16).padStart(16, '0'),
    strategy: 'birthday',
    sockets: 256,
    probes: 1_900,
    ranges: [{ low: 1_024, high: 65_535, weight: 1 }],
  };
}

/** A client that leads a punch with one member, who has accepted it. */
async function probing(): Promise<Client> {
  const client = new Client(RANDOM);
  client.join('ann', EASY);
  await client.run(500);
  await accepted(client);
  return client;
}

async function accepted(client: Client): Promise<void> {
  const plan = plans(client).at(-1);
  if (plan === undefined) throw new Error('there is no plan');
  client.hears('ann', { t: 'punch-accept', id: plan.id });
  await client.run(500);
  expect(client.punches.view('ann')?.phase).toBe('probing');
}

describe('a path that is lost just after it was nominated', () => {
  it('is followed by another attempt, and not before the one that found it is closed', async () => {
    const client = await probing();
    client.direct.add('ann');
    await client.run(100);
    client.hears('ann', { t: 'punch-nominated', id: plans(client)[0]?.id ?? '' });
    await client.run(500);
    expect(client.punches.view('ann')?.phase).toBe('closing');
    client.direct.delete('ann');
    await client.run(1_000);
    expect(plans(client)).toHaveLength(1);
    await client.run(2_500);
    expect(plans(client)).toHaveLength(2);
    await accepted(client);
  });
});

describe('a path that is found and waits for its turn', () => {
  it('keeps its socket, and no other', async () => {
    const client = await probing();
    const [, winner = 0] = client.open;
    client.directBy.set('ann', winner);
    client.direct.add('ann');
    await client.run(100);
    client.hears('ann', { t: 'punch-nominated', id: plans(client)[0]?.id ?? '' });
    await client.run(10_000);
    expect(client.punches.view('ann')).toBeNull();
    expect([...client.open]).toEqual([winner]);
    client.hears('ann', planOf(1));
    expect(client.sent.at(-1)?.message).toMatchObject({ t: 'punch-refuse', code: 'direct' });
  });
});

describe('labels that promise a path where there is none', () => {
  it('are doubted for a while, and then it is said that nothing is left', async () => {
    const client = new Client(EASY);
    client.join('ann', EASY);
    let answered = 0;
    const answer = () => {
      for (const { id } of plans(client).slice(answered)) client.hears('ann', { t: 'punch-accept', id });
      answered = plans(client).length;
    };
    await client.run(60_000, 500, answer);
    expect(client.punches.reason('ann')).not.toBe('gave-up');
    await client.run(1_500_000, 500, answer);
    expect(answered).toBe(6);
    expect(client.punches.reason('ann')).toBe('gave-up');
  });
});

describe('a leader that plans anew', () => {
  it('has ended what it led before, though the word of it was lost', async () => {
    const client = new Client(EASY);
    client.join('eve', RANDOM);
    client.join('mal', RANDOM);
    client.hears('eve', planOf(1));
    await client.run(2_000);
    client.hears('mal', planOf(2));
    expect(client.sent.at(-1)?.message).toMatchObject({ t: 'punch-refuse', code: 'busy' });
    client.hears('eve', planOf(3));
    const answers = client.sent.filter(({ message }) => message.t === 'punch-accept' || message.t === 'punch-refuse');
    expect(answers.at(-1)?.message).toEqual({ t: 'punch-accept', id: planOf(3).id });
    // Not without end.
    await client.run(500);
    client.hears('eve', planOf(4));
    expect(client.sent.at(-1)?.message).toMatchObject({ t: 'punch-refuse', code: 'later' });
  });
});

describe('NAT4 punching that is switched off', () => {
  const off = { hardNat: false, relayOnly: false };

  it('ends the attempt that this side leads at once, and says why; switched on again it is tried at once', async () => {
    const client = await probing();
    expect(client.open.size).toBeGreaterThan(50);
    client.settings = off;
    await client.run(300);
    expect(client.punches.view('ann')).toBeNull();
    expect(client.sent.at(-1)?.message).toEqual({ t: 'punch-end', id: plans(client)[0]?.id });
    expect(client.open.size).toBe(0);
    expect(client.punches.reason('ann')).toBe('hard-nat-off');
    const pings = client.pings.length;
    await client.run(30_000);
    expect(client.pings).toHaveLength(pings);
    client.settings = { ...off, hardNat: true };
    await client.run(1_000);
    expect(plans(client)).toHaveLength(2);
    expect(client.punches.reason('ann')).toBeNull();
  });

  it('ends the attempt that the other leads, and says why there too, also of one that is refused', async () => {
    const client = new Client(EASY);
    client.join('eve', RANDOM);
    const plan = planOf(1);
    client.hears('eve', plan);
    await client.run(500);
    expect(client.punches.view('eve')?.phase).toBe('probing');
    client.settings = off;
    await client.run(300);
    expect(client.sent.at(-1)?.message).toEqual({ t: 'punch-end', id: plan.id });
    expect(client.punches.reason('eve')).toBe('hard-nat-off');
    client.settings = { ...off, hardNat: true };
    await client.run(300);
    expect(client.punches.reason('eve')).toBeNull();
    client.settings = off;
    client.hears('eve', { ...plan, id: '0000000000000002' });
    expect(client.sent.at(-1)?.message).toMatchObject({ t: 'punch-refuse', code: 'off' });
    expect(client.punches.reason('eve')).toBe('hard-nat-off');
  });

  it('leaves an attempt of a few sockets alone', async () => {
    const client = new Client(COUNTER);
    client.join('ann', EASY);
    await client.run(500);
    await accepted(client);
    client.settings = off;
    await client.run(300);
    expect(client.punches.view('ann')?.phase).toBe('probing');
  });

  it('does not take back a path that was found', async () => {
    const client = await probing();
    client.direct.add('ann');
    await client.run(100);
    client.settings = off;
    await client.run(100);
    expect(client.punches.view('ann')?.phase).toBe('nominating');
  });
});

describe('a member that has come to another network', () => {
  const HERE: NatReport = { ...RANDOM, publicAddresses: ['203.0.113.5'] };
  const there = (ip: string): NatReport => ({ ...EASY, publicAddresses: [ip] });

  it('is tried again although it was given up, and not each time that it says so', async () => {
    const client = new Client(HERE);
    client.join('ann', there('198.51.100.7'));
    await client.run(1_500_000, 500);
    const before = plans(client).length;
    expect(client.punches.reason('ann')).toBe('gave-up');
    await client.run(600_000, 500);
    expect(plans(client)).toHaveLength(before);
    client.join('ann', there('198.51.100.8'));
    await client.run(1_000);
    expect(plans(client)).toHaveLength(before + 1);
    let moves = 0;
    await client.run(600_000, 1_000, () => client.join('ann', there(`198.51.100.${(++moves % 200) + 9}`)));
    expect(plans(client).length).toBeLessThan(before + 50);
  });

  it('is not punched to where it was, but at once to where it is', async () => {
    const client = new Client(HERE);
    client.join('ann', there('198.51.100.7'));
    await client.run(500);
    await accepted(client);
    const first = plans(client)[0]?.id;
    // Another name for the same network is no other one.
    client.join('ann', { ...there('198.51.100.7'), filtering: 'address-dependent' });
    await client.run(200);
    expect(client.punches.view('ann')?.phase).toBe('probing');
    client.join('ann', there('198.51.100.8'));
    await client.run(500);
    expect(client.sent.map(({ message }) => message)).toContainEqual({ t: 'punch-end', id: first });
    expect(client.punches.view('ann')?.phase).toBe('proposed');
    expect(plans(client)).toHaveLength(2);
  });
});

describe('sockets of an attempt that has failed', () => {
  /** The first attempt that is accepted so long after the end of the one before: which of that one's sockets ping in it. */
  async function reused(pauseMs: number): Promise<{ before: number; again: number }> {
    const client = new Client(RANDOM);
    // Most of the budget is others': few enough are left that a retry would use them again.
    for (let port = 1; port <= 180; port++) client.budget.sent(0, 1, { ip: '192.0.2.1', port }, true);
    client.join('ann', EASY);
    await client.run(500);
    await accepted(client);
    while (client.punches.view('ann') !== null) await client.run(100);
    const before = new Set(client.pings.map(({ socket }) => socket));
    await client.run(pauseMs);
    const over = client.pings.length;
    for (let count = plans(client).length; plans(client).length === count; ) await client.run(100);
    await accepted(client);
    await client.run(1_500);
    const again = new Set(client.pings.slice(over).map(({ socket }) => socket));
    return { before: before.size, again: [...again].filter((socket) => before.has(socket)).length };
  }

  it('ping again soon, and are left alone when a router may have dropped their mappings', async () => {
    const soon = await reused(4_000);
    expect(soon.before).toBeGreaterThan(60);
    expect(soon.again).toBe(soon.before);
    expect((await reused(45_000)).again).toBe(0);
  });
});
