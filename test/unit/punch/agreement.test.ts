/** How a long shot is agreed on, and what members who do not keep to it can make of that: nothing that was not said yes to. */
import { describe, expect, it } from 'vitest';
import { PROBE_BURST, PROBES_PER_SECOND } from '../../../engine/core/budget.ts';
import { LONG_SHOT_MAPPINGS, type PunchMessage } from '../../../protocol/punch.ts';
import { Client, COUNTER, densest, RANDOM } from './client.ts';

const TEN_MINUTES = 600_000;
const RANGES = [{ low: 20_480, high: 20_991, weight: 1 }];
const idOf = (n: number) => n.toString(16).padStart(16, '0');
const request = (n: number): PunchMessage => ({ t: 'punch-request', id: idOf(n), mappings: 426, ranges: RANGES });

function client(): Client {
  const made = new Client(RANDOM);
  made.join('eve', RANDOM);
  return made;
}

describe('a member that asks for long shots without end', () => {
  it('makes nothing leave while the user does not answer', async () => {
    const own = client();
    let n = 0;
    await own.run(TEN_MINUTES, 250, () => own.hears('eve', request(++n)));
    expect(own.longShots.view('eve')?.state).toBe('asked');
    expect(own.pings).toEqual([]);
    expect(own.sent).toEqual([]);
  });

  it('is not shown again for two minutes after a no', async () => {
    const own = client();
    own.hears('eve', request(1));
    own.longShots.command('eve', 'stop');
    let n = 1;
    await own.run(119_000, 1_000, () => own.hears('eve', request(++n)));
    expect(own.longShots.view('eve')?.state).toBe('possible');
    expect(own.sent.every(({ message }) => message.t === 'punch-refuse' && message.code === 'declined')).toBe(true);
    await own.run(3_000);
    own.hears('eve', request(++n));
    expect(own.longShots.view('eve')?.state).toBe('asked');
  });

  it('gets no more than the account of one lifetime from a user who always says yes', async () => {
    const own = client();
    let n = 0;
    await own.run(TEN_MINUTES, 250, () => {
      own.hears('eve', request(++n));
      try {
        own.longShots.command('eve', 'start');
      } catch (error) {
        expect(error).toMatchObject({ code: 'busy' });
      }
      // Ends some of them early, and some late.
      if (n % 7 === 0) own.hears('eve', { t: 'punch-end', id: idOf(n - (n % 40)) });
    });
    const sessions = own.pings.map(({ at, socket, remote }) => ({ at, key: `${socket} ${remote}` }));
    expect(new Set(sessions.map(({ key }) => key)).size).toBeGreaterThan(LONG_SHOT_MAPPINGS);
    expect(densest(sessions, 120_000)).toBeLessThanOrEqual(LONG_SHOT_MAPPINGS);
    const pings = own.pings.map(({ at }, i) => ({ at, key: String(i) }));
    expect(densest(pings, 1_000)).toBeLessThanOrEqual(PROBES_PER_SECOND + PROBE_BURST);
    expect(own.budget.mappingsLeft(own.timeline.now())).toBe(new Client(RANDOM).budget.mappingsLeft(0));
  });
});

describe('a member that agrees', () => {
  it('to what was not asked is told that there is none', () => {
    const own = client();
    own.hears('eve', { t: 'punch-agree', id: idOf(9), mappings: 426, ranges: RANGES });
    expect(own.sent.map(({ message }) => message)).toEqual([{ t: 'punch-end', id: idOf(9) }]);
    expect(own.pings).toEqual([]);
  });

  it('to what was asked begins it, once', async () => {
    const own = client();
    own.longShots.command('eve', 'start');
    const asked = own.sent[0]?.message as Extract<PunchMessage, { t: 'punch-request' }>;
    const agree: PunchMessage = { t: 'punch-agree', id: asked.id, mappings: 426, ranges: RANGES };
    for (let i = 0; i < 3; i++) own.hears('eve', agree);
    expect(own.longShots.view('eve')?.state).toBe('running');
    await own.run(20_000);
    expect(own.longShots.view('eve')).toMatchObject({ state: 'possible', last: 'exhausted' });
    expect(new Set(own.pings.map(({ socket }) => socket)).size).toBe(LONG_SHOT_MAPPINGS);
    expect(own.open.size).toBe(0);
    // Of their model, and nowhere else.
    for (const { remote } of own.pings) {
      const [ip, port] = remote.split(' ');
      expect(ip).toBe('198.51.100.7');
      expect(Number(port)).toBeGreaterThanOrEqual(20_480);
      expect(Number(port)).toBeLessThanOrEqual(20_991);
    }
  });
});

describe('a request', () => {
  it('is repeated until it is void, and taken back where punching is switched off meanwhile', async () => {
    const own = client();
    own.longShots.command('eve', 'start');
    await own.run(12_000);
    expect(own.sent.filter(({ message }) => message.t === 'punch-request')).toHaveLength(3);
    own.settings = { ...own.settings, hardNat: false };
    await own.run(1_000);
    expect(own.longShots.view('eve')).toMatchObject({ state: 'possible', last: 'off' });
    expect(own.sent.at(-1)?.message.t).toBe('punch-end');
    expect(() => own.longShots.command('eve', 'start')).toThrow(expect.objectContaining({ code: 'hard-nat-off' }));
  });

  it('is not made where a plan may do it', () => {
    const own = new Client(COUNTER);
    own.join('ann', COUNTER);
    expect(own.longShots.view('ann')).toBeNull();
    expect(() => own.longShots.command('ann', 'start')).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });
});
