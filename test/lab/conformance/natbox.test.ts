import { afterAll, beforeAll, it } from 'vitest';
import { describeLab } from '../requirements.ts';
import { type Topology, startTopology } from '../topology.ts';
import { conformanceCases } from './cases.ts';
import { LabNat, OutsideWorld } from './lab-nat.ts';
import { natTable } from './table.ts';

describeLab('the user-space NAT', () => {
  let topology: Topology;
  let outside: OutsideWorld;

  beforeAll(async () => {
    topology = await startTopology({
      sites: natTable.map(({ behaviour }, index) => ({
        name: `nat${index}`,
        nat: { ...behaviour, lifetimeMs: behaviour.lifetimeMs ?? undefined },
      })),
    });
    outside = await OutsideWorld.open(topology);
  });
  afterAll(() => topology?.close());

  const rows = natTable.map(({ name, behaviour }, index) => [name, behaviour, `nat${index}`] as const);
  it.concurrent.for(rows)('%s', async ([, behaviour, node]) => {
    const site = topology.site(node);
    const nat = new LabNat(topology, site.hosts[0]!, outside);
    for (const { name, run } of conformanceCases({ ...behaviour, external: [site.external] })) {
      await run(nat).catch((error: Error) => {
        throw new Error(`${name}: ${error.message}`, { cause: error });
      });
    }
    await nat.stop();
  });
});
