/** The long shot through the command line: two people, two blocks of 512 ports, the real device. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Snapshot } from '../../protocol/app.ts';
import { type Member, RendezvousServer, warren } from './cli.ts';
import { describeLab } from './requirements.ts';
import { joinAll } from './room.ts';
import { startTopology, type Topology } from './topology.ts';

const block = {
  mapping: 'address-and-port-dependent',
  filtering: 'address-and-port-dependent',
  ports: { kind: 'block', size: 512, low: 1_024, high: 65_535 },
} as const;
const sites = ['ann', 'bob'].map((name) => ({ name, nat: block }));
/** NATs are measured, and the ordinary checks fail. */
const OFFERED_MS = 60_000;

describeLab('block x block', () => {
  let topology: Topology;
  let server: RendezvousServer;
  let members: Map<string, Member>;
  /** Whoever is offered it first: a block that looks like a counter to the other has its plan before. */
  let asker: Member;
  let other: Member;

  beforeAll(async () => {
    topology = await startTopology({ sites });
    server = await RendezvousServer.start(topology.lab, topology.server);
    const players = sites.map(({ name }) => ({ nick: name, namespace: topology.site(name).hosts[0]!.namespace }));
    const room = { room: 'long shot', password: 'warm-otter-beacon-42', servers: [server.url] };
    members = await joinAll(topology.lab, players, room);
  }, 180_000);

  afterAll(async () => {
    await Promise.all([...(members?.values() ?? [])].map((member) => member.stop()));
    await server?.stop();
    await topology?.close();
  });

  const shot = ({ peers }: Snapshot) => peers[0]?.longShot;
  const punch = (member: Member, words: string[]) =>
    warren(topology.lab, member.namespace, ['punch', ...words, '--state-dir', member.stateDir]);

  it('tells its odds and price, and begins for nobody who cannot be asked', async () => {
    const [ann, bob] = [members.get('ann')!, members.get('bob')!];
    const offered = async (pair: [Member, Member]) => {
      await pair[0].waitFor('the offer', (snapshot) => shot(snapshot)?.state === 'possible', OFFERED_MS);
      return pair;
    };
    [asker, other] = await Promise.any([offered([ann, bob]), offered([bob, ann])]);
    const { code, stderr } = await punch(asker, [other.nick]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/odds: \d\d %; takes \d\d\d ports of your router and \d\d\d of theirs/);
    expect(stderr).toMatch(/starve/);
  });

  it('is taken back before anybody has said yes', async () => {
    expect(await punch(asker, [other.nick, '--yes'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('is asked'),
    });
    await other.waitFor('the request', (snapshot) => shot(snapshot)?.state === 'asked');
    expect(await punch(asker, [other.nick, '--stop'])).toMatchObject({ code: 0 });
    await other.waitFor('no request', (snapshot) => shot(snapshot)?.last === 'withdrawn');
  });

  it('runs when both have said yes, and ends with a direct path or without', async () => {
    await punch(asker, [other.nick, '--yes']);
    await other.waitFor('the request', (snapshot) => shot(snapshot)?.state === 'asked');
    await punch(other, [asker.nick, '--yes']);
    const ended = (snapshot: Snapshot) =>
      snapshot.peers[0]?.path?.kind === 'direct' || shot(snapshot)?.last === 'exhausted';
    await asker.waitFor('it runs', ({ peers }) => peers[0]?.punch?.strategy === 'long-shot');
    await asker.waitFor('its end', ended, 40_000);
    await other.waitFor('its end', ended, 40_000);
    expect(await asker.kernelPing(other.ipv4, 3)).toBeGreaterThan(0);
  });
});
