import { afterEach, expect, it } from 'vitest';

import { describeLab } from '../requirements.ts';
import { inner, innerV6, Pair } from './pair.ts';

/** Our packets that are longer do not reach wireguard-go. */
const NARROW = 1_280;
const NO_FRAGMENTS_NEEDED = 1_500;

describeLab('our device x wireguard-go, over a link for packets of 1,280', () => {
  let pair: Pair;
  afterEach(() => pair?.close());

  /** What is longer than `most` and comes from us is dropped before wireguard-go sees it. */
  async function narrow(most: number): Promise<void> {
    await pair.lab.script(`
ip -n ${pair.ours.name} link set wan gso_max_segs 1
ip netns exec ${pair.theirs.name} nft -f - <<'RULES'
table inet hole {
  chain in {
    type filter hook input priority filter;
    iifname "wan" meta l4proto udp meta length > ${most} drop
  }
}
RULES`);
  }

  /** Answers to three pings of the tunnel's full size. */
  async function fullSizePings(address: string, bytes: number): Promise<number> {
    const argv = ['ping', '-n', '-M', 'do', '-s', String(bytes), '-c', '3', '-i', '0.1', '-W', '3', address];
    const { stdout } = await pair.lab.run(pair.ours, argv);
    return Number(/(\d+) received/.exec(stdout)?.[1] ?? 0);
  }

  it('a plain peer gets full packets of both families as fragments, and its host joins them', async () => {
    pair = await Pair.open({ roaming: true });
    await narrow(NARROW);
    await pair.connect();
    expect(await pair.ping('ours', 3)).toBe(3);
    expect(await fullSizePings(inner.theirs, 1_392)).toBe(3);
    expect(await fullSizePings(innerV6.theirs, 1_372)).toBe(3);
  });

  it('TCP in both directions needs no fragments at all', async () => {
    pair = await Pair.open({ roaming: true });
    await narrow(NARROW);
    await pair.connect();
    expect(await pair.ping('ours', 3)).toBe(3);
    for (const [from, to, address] of [
      [pair.ours, pair.theirs, inner.theirs],
      [pair.theirs, pair.ours, inner.ours],
    ] as const) {
      const receiver = pair.lab.spawn(to, ['iperf3', '-s', '-1']);
      await expect
        .poll(async () => (await pair.lab.run(to, ['ss', '-ltnH', 'sport = :5201'])).stdout, { timeout: 5_000 })
        .toContain('5201');
      const { stdout } = await pair.lab.run(from, ['iperf3', '-c', address, '-n', '8M', '-J']);
      await receiver.exited;
      const result = JSON.parse(stdout) as {
        start: { tcp_mss_default: number };
        end: { sum_received: { bytes: number } };
      };
      expect(result.start.tcp_mss_default).toBeLessThanOrEqual(NARROW - 60 - 40);
      // iperf3 ends when all is handed to the kernel: what is still under way is not counted.
      expect(result.end.sum_received.bytes).toBeGreaterThanOrEqual(2 << 20);
    }
  });

  it('an owner who knows the path may send it full packets', async () => {
    pair = await Pair.open({ roaming: false });
    await narrow(NO_FRAGMENTS_NEEDED);
    await pair.connect();
    expect(await fullSizePings(inner.theirs, 1_392)).toBe(3);
  });
});
