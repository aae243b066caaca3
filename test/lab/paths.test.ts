/** Paths that must stay: through NATs that forget quickly, and across a change of the host's own address. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Member, RendezvousServer } from './cli.ts';
import { describeLab } from './requirements.ts';
import { bothOver, joinAll, PingFlow } from './room.ts';
import type { NatConfig } from './router.ts';
import { startTopology, type Topology } from './topology.ts';

/** A mapping that expires comes back under another port: the path over it would be dead. */
const forgetful = (lifetimeS: number): NatConfig => ({
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  ports: { kind: 'random' },
  lifetimeMs: lifetimeS * 1_000,
});
/** Twice the longer lifetime, so that a path that is not kept has expired. */
const IDLE_MS = 40_000;

describeLab('a path', () => {
  let topology: Topology;
  let server: RendezvousServer;
  let members: Map<string, Member>;
  const member = (nick: string): Member => members.get(nick) as Member;

  beforeAll(async () => {
    topology = await startTopology({
      sites: [
        { name: 'ten', nat: forgetful(10) },
        { name: 'twenty', nat: forgetful(20) },
        { name: 'mover', nat: 'port-restricted' },
      ],
    });
    server = await RendezvousServer.start(topology.lab, topology.server);
    const players = topology.hosts.map(({ name, namespace }) => ({ nick: name, namespace }));
    const room = { room: 'paths', password: 'warm-otter-beacon-42', servers: [server.url] };
    members = await joinAll(topology.lab, players, room);
  }, 300_000);

  afterAll(async () => {
    await Promise.all([...(members?.values() ?? [])].map((one) => one.stop()));
    await server?.stop();
    await topology?.close();
  });

  it('is kept by NATs that forget after 10 and 20 s, and their lifetimes are found', async () => {
    const [ten, twenty] = [member('ten'), member('twenty')];
    await bothOver(ten, twenty, ['direct'], 60_000);
    const lives = (one: Member, seconds: number) =>
      one.waitFor(`a lifetime of ${seconds} s`, ({ self }) => self?.nat.lifetimeSeconds === seconds, 150_000);
    await Promise.all([lives(ten, 10), lives(twenty, 20)]);
    const changes = () => [ten.peer('twenty')?.timeline?.length, twenty.peer('ten')?.timeline?.length];
    const before = changes();
    await delay(IDLE_MS);
    expect(await ten.kernelPing(twenty.ipv4, 3)).toBe(3);
    expect(changes()).toEqual(before);
    expect(ten.peer('twenty')?.path?.kind).toBe('direct');
  }, 240_000);

  it('is found anew when the address of the interface changes under traffic', async ({ task }) => {
    const address = `192.168.3.${50 + (task.result?.retryCount ?? 0)}/24`;
    const [mover, twenty] = [member('mover'), member('twenty')];
    await bothOver(mover, twenty, ['direct'], 60_000);
    const flow = new PingFlow(topology.lab, twenty, mover);
    await flow.hasReplies(50);
    const { name } = topology.site('mover').hosts[0]!.namespace;
    await topology.lab.script(`
ip -n ${name} -4 address flush dev eth0
ip -n ${name} address add ${address} dev eth0
ip -n ${name} route replace default via 192.168.3.1`);
    // Through the server's link first, which is found dead at once and not by its own time-out.
    await flow.hasReplies(flow.replies.length + 100);
    await bothOver(mover, twenty, ['direct'], 60_000);
    await flow.stop();
  }, 180_000);
});
