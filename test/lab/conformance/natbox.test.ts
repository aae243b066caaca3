import { afterAll, beforeAll, it } from 'vitest';
import { describeLab } from '../requirements.ts';
import { type Topology, startTopology } from '../topology.ts';
import { conformanceCases } from './cases.ts';
import { LabNat, OutsideWorld } from './lab-nat.ts';
import { expectation, natTable } from './table.ts';

describeLab('the user-space NAT', () => {
  let topology: Topology;
  let outside: OutsideWorld;

  beforeAll(async () => {
    topology = await startTopology({
      sites: natTable.map(({ name: _, ports, ...behaviour }, index) => ({
        name: `nat${index}`,
        nat: { ...behaviour, ports, lifetimeMs: behaviour.lifetimeMs ?? undefined },
      })),
    });
    outside = await OutsideWorld.open(topology);
  });
  afterAll(() => topology?.close());

  it.concurrent.for(natTable.map((row, index) => ({ row, index, title: row.name })))(
    '$title',
    async ({ row, index }) => {
      const site = topology.site(`nat${index}`);
      const nat = new LabNat(topology, site.hosts[0]!, outside);
      for (const { name, run } of conformanceCases(expectation(row, [site.external]))) {
        await run(nat).catch((error: Error) => {
          throw new Error(`${name}: ${error.message}`, { cause: error });
        });
      }
      await nat.stop();
    },
  );
});
