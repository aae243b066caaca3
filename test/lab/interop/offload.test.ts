import { afterEach, expect, it } from 'vitest';

import { until } from '../../until.ts';
import type { Namespace } from '../netns.ts';
import { describeLab } from '../requirements.ts';
import { inner, Pair, script } from './pair.ts';

const TRANSFER_BYTES = 16 * 1024 * 1024;
const MTU = 1_420;

interface Kernel {
  name: string;
  /** What our process's kernel refuses; see old-kernel.c. */
  lacks: string[];
  /** Whether our host hands us frames, gets frames from us, and our sends are cut by the kernel. */
  fromHost: boolean;
  toHost: boolean;
  sends: boolean;
}

const kernels: Kernel[] = [
  { name: 'every offload', lacks: [], fromHost: true, toHost: true, sends: true },
  { name: 'no USO', lacks: ['uso'], fromHost: true, toHost: true, sends: true },
  { name: 'no offload on the TUN', lacks: ['tun-offload'], fromHost: false, toHost: false, sends: true },
  { name: 'no UDP_SEGMENT', lacks: ['udp-segment'], fromHost: true, toHost: true, sends: false },
  { name: 'EIO for cut sends', lacks: ['udp-segment-send'], fromHost: true, toHost: true, sends: false },
  { name: 'EINVAL for joined frames', lacks: ['tun-frames'], fromHost: true, toHost: false, sends: true },
  { name: 'no UDP_GRO', lacks: ['udp-gro'], fromHost: true, toHost: true, sends: true },
  {
    name: 'none of all that',
    lacks: ['tun-offload', 'udp-segment', 'udp-gro'],
    fromHost: false,
    toHost: false,
    sends: false,
  },
];

describeLab('segments x wireguard-go', () => {
  let pair: Pair;
  afterEach(() => pair?.close());

  const sends = async (from: Namespace, ip: string): Promise<string> => {
    const argv = [process.execPath, script('transfer'), 'send', ip, String(TRANSFER_BYTES)];
    return (await pair.lab.run(from, argv)).stdout;
  };

  /** Mean size of what an interface of ours has carried so far. */
  const meanBytes = async (name: string) => {
    const { stdout } = await pair.lab.run(pair.ours, ['ip', '-json', '-statistics', 'link', 'show', name]);
    const [link] = JSON.parse(stdout) as { stats64: Record<'rx' | 'tx', { bytes: number; packets: number }> }[];
    const { rx, tx } = link!.stats64;
    return { rx: rx.bytes / rx.packets, tx: tx.bytes / tx.packets };
  };

  it.each(kernels)('carries bulk both ways, whole, with $name', async ({ lacks, fromHost, toHost, sends: cuts }) => {
    pair = await Pair.open({ kernelLacks: lacks });
    await pair.connect();
    const servers = [
      pair.lab.spawn(pair.ours, [process.execPath, script('transfer'), 'serve', inner.ours]),
      pair.lab.spawn(pair.theirs, [process.execPath, script('transfer'), 'serve', inner.theirs]),
    ];
    await until('both serve', () => servers.every(({ output }) => output.includes('ready')));

    expect(await sends(pair.ours, inner.theirs)).toBe('same');
    const out = { host: (await meanBytes('warren0')).tx, wire: (await meanBytes('wan')).tx };
    const dropped = (await pair.report()).stats.txDropped;
    expect(await sends(pair.theirs, inner.ours)).toBe('same');
    const back = (await meanBytes('warren0')).rx;

    // Acknowledgements are among them: frames show as more than any single packet could be.
    expect({ fromHost: out.host > MTU, sends: out.wire > MTU + 100, toHost: back > MTU }).toEqual({
      fromHost,
      sends: cuts,
      toHost,
    });
    const { stats, failures } = await pair.report();
    expect(failures).toEqual([]);
    expect(stats.routeMisses).toBe(0);
    // Nor is what our host refuses at first.
    expect(stats.txDropped).toBe(dropped);
  });
});
