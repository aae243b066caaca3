import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KernelNatConfig } from '../nats.ts';
import { describeLab } from '../requirements.ts';
import { type Topology, startTopology } from '../topology.ts';
import { conformanceCases } from './cases.ts';
import type { ExpectedNat } from './contract.ts';
import { LabNat, OutsideWorld } from './lab-nat.ts';
import { fullyRandom, masquerade, netfilterBehaviour } from './table.ts';

const kinds: readonly { name: string; nat: KernelNatConfig; expected: Pick<ExpectedNat, 'mapping' | 'ports'> }[] = (
  ['accept', 'drop'] as const
).flatMap((input) => [
  {
    name: `masquerade-${input}`,
    nat: { kernel: 'masquerade', input, udpTimeoutS: 1, udpStreamTimeoutS: 1 },
    expected: masquerade,
  },
  {
    name: `fully-random-${input}`,
    nat: { kernel: 'fully-random', input, udpTimeoutS: 1, udpStreamTimeoutS: 1 },
    expected: fullyRandom,
  },
]);

describeLab('netfilter', () => {
  let topology: Topology;
  let outside: OutsideWorld;

  beforeAll(async () => {
    topology = await startTopology({ sites: kinds });
    outside = await OutsideWorld.open(topology);
  });
  afterAll(() => topology?.close());

  describe.for(kinds.map((kind) => [kind.name, kind.expected] as const))('%s', ([site, expected]) => {
    const cases = conformanceCases({
      ...netfilterBehaviour,
      ...expected,
      external: kinds.map((_, index) => `203.0.113.${10 + index}`),
    });
    let nat: LabNat;
    beforeAll(() => {
      nat = new LabNat(topology, topology.site(site).hosts[0]!, outside);
    });
    afterAll(() => nat?.stop());
    it.for(cases.map((one) => [one.name, one.run] as const))('%s', ([, run]) => run(nat));
  });

  it('loses the port to a stranger who comes first when INPUT accepts, and keeps it when INPUT drops', async () => {
    expect(await strangerMoves('masquerade-accept', topology, outside)).toBe(true);
    expect(await strangerMoves('masquerade-drop', topology, outside)).toBe(false);
  });
});

/** Whether a datagram from B1 to a fresh mapping changes the port with which B1 is then reached. */
async function strangerMoves(site: string, topology: Topology, outside: OutsideWorld): Promise<boolean> {
  const nat = new LabNat(topology, topology.site(site).hosts[0]!, outside);
  const seen = await nat.sendFromInside('opener', 'A1');
  if (seen === null) throw new Error('the opener did not arrive');
  await nat.sendFromOutside('B1', seen, 'opener');
  const afterwards = await nat.sendFromInside('opener', 'B1');
  await nat.stop();
  return afterwards?.port !== seen.port;
}
