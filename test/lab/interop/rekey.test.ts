import { afterEach, expect, it } from 'vitest';

import { describeLab } from '../requirements.ts';
import { Pair } from './pair.ts';

/** REKEY_AFTER_TIME of the paper, section 6.1. */
const REKEY_SECONDS = 120;
/** Our keys grow old this much faster, so a new handshake comes every 3 s; wireguard-go's clock is the real one. */
const AGE_FACTOR = 40;
const PINGS_A_SECOND = 100;
/** WARREN_LONG=1 adds the same against real clocks. */
const long = process.env['WARREN_LONG'] === '1';

describeLab('our device x wireguard-go, rekey', () => {
  let pair: Pair;
  afterEach(() => pair?.close());

  it('our keys expire every 3 s: handshakes follow each other and no packet is lost', async () => {
    pair = await Pair.open({ ageFactor: AGE_FACTOR });
    await pair.connect();
    const count = 12 * PINGS_A_SECOND;
    const [ours, theirs] = await Promise.all([pair.ping('ours', count), pair.ping('theirs', count)]);
    expect([ours, theirs]).toEqual([count, count]);
    const { handshakes, stats, failures } = await pair.report();
    expect(handshakes).toBeGreaterThanOrEqual(4);
    expect(stats.txDropped).toBe(0);
    expect(failures).toEqual([]);
  });

  // Registered on demand only: four and a half minutes of real time.
  if (!long) return;
  const real = { timeout: 400_000 };
  const count = (REKEY_SECONDS + 10) * PINGS_A_SECOND;

  it(`ours rekeys after ${REKEY_SECONDS} s`, real, async () => {
    pair = await Pair.open();
    await pair.connect();
    expect(await pair.ping('ours', count)).toBe(count);
    const { handshakes, failures } = await pair.report();
    expect(handshakes).toBeGreaterThanOrEqual(2);
    expect(failures).toEqual([]);
  });

  it(`wireguard-go rekeys after ${REKEY_SECONDS} s`, real, async () => {
    pair = await Pair.open({ initiate: false, roaming: true, theyKnowUs: true });
    expect(await pair.ping('theirs', count)).toBe(count);
    const { handshakes, failures } = await pair.report();
    expect(handshakes).toBeGreaterThanOrEqual(2);
    expect(failures).toEqual([]);
  });
});
