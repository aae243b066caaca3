/** Members' names, asked for as programs do: the system's resolver, LLMNR, mDNS. */
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, encode, type Packet } from 'dns-packet';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Member, RendezvousServer } from './cli.ts';
import { describeLab } from './requirements.ts';
import { bothOver, joinAll } from './room.ts';
import { startTopology, type Topology } from './topology.ts';

/** Sends one datagram and prints what comes back, in hex; nothing within the time: an empty line. */
const ASK = `
  const [address, port, from, waitMs, query] = process.argv.slice(1);
  const socket = require('node:dgram').createSocket('udp4').bind(0, from);
  socket.on('listening', () => {
    if (address.startsWith('224.')) socket.setMulticastInterface(from);
    socket.send(Buffer.from(query, 'hex'), Number(port), address);
    setTimeout(() => { console.log(''); process.exit(); }, Number(waitMs));
  });
  socket.on('message', (bytes) => { console.log(bytes.toString('hex')); process.exit(); });
`;
const ANSWER_MS = 5_000;
/** Long enough for an answer that would come, on a machine that is busy. */
const SILENCE_MS = 1_500;

describeLab('names of members', () => {
  let topology: Topology;
  let ann: Member;
  let bob: Member;

  beforeAll(async () => {
    topology = await startTopology({
      sites: [
        { name: 'ann', nat: 'public' },
        { name: 'bob', nat: 'full-cone' },
      ],
    });
    const server = await RendezvousServer.start(topology.lab, topology.server);
    const players = [
      { nick: 'ann', namespace: topology.site('ann').hosts[0]!.namespace },
      { nick: 'Bob the Builder', namespace: topology.site('bob').hosts[0]!.namespace },
    ];
    const room = { room: 'names', password: 'warm-otter-beacon-42', servers: [server.url] };
    const members = await joinAll(topology.lab, players, room);
    [ann, bob] = players.map(({ nick }) => members.get(nick)) as [Member, Member];
    await bothOver(ann, bob, ['relay', 'direct', 'ipv6', 'lan']);
    await ann.waitFor('her names', ({ names }) => names?.state === 'multicast');
  });
  afterAll(async () => {
    await Promise.all([ann?.stop(), bob?.stop()]);
    await topology?.close();
  });

  const bobsName = 'bob-the-builder';

  async function ask(
    from: Member,
    address: string,
    port: number,
    name: string,
    waitMs = ANSWER_MS,
  ): Promise<Packet | null> {
    const query = encode({ type: 'query', id: 7, questions: [{ type: 'A', name }] });
    const hex = Buffer.from(query).toString('hex');
    const argv = [process.execPath, '-e', ASK, address, String(port), from.ipv4, String(waitMs), hex];
    const { stdout } = await topology.lab.run(from.namespace, argv);
    return stdout.trim() === '' ? null : decode(Buffer.from(stdout.trim(), 'hex'));
  }
  const addresses = (packet: Packet | null) => packet?.answers?.map((one) => ('data' in one ? one.data : null));

  it('resolve in every program that asks the system', async () => {
    expect(ann.snapshot?.names).toMatchObject({ server: `${ann.ipv4}:53`, own: 'ann.warren' });
    expect(ann.snapshot?.peers[0]?.name).toBe('bob-the-builder.warren');
    const file = join(tmpdir(), `warren-resolv-${process.pid}`);
    await writeFile(file, `nameserver ${ann.ipv4}\n`);
    try {
      const getent = async (...words: string[]) => {
        const script = 'mount --bind "$0" /etc/resolv.conf && exec getent "$@"';
        return await topology.lab.run(ann.namespace, ['unshare', '-m', 'sh', '-c', script, file, ...words]);
      };
      expect((await getent('ahostsv4', `${bobsName}.warren`)).stdout).toContain(bob.ipv4);
      expect((await getent('ahostsv6', `${bobsName}.warren`)).stdout).toContain(bob.snapshot!.self!.ipv6!);
      expect((await getent('hosts', bob.ipv4)).stdout).toContain(`${bobsName}.warren`);
      expect((await getent('hosts', 'nobody.warren')).code).not.toBe(0);
    } finally {
      await rm(file, { force: true });
    }
  });

  it('resolve by LLMNR and mDNS for this host, whoever is asked for', async () => {
    expect(addresses(await ask(ann, '224.0.0.252', 5355, bobsName))).toEqual([bob.ipv4]);
    expect(addresses(await ask(ann, '224.0.0.251', 5353, `${bobsName}.local`))).toEqual([bob.ipv4]);
    expect(await ask(ann, '224.0.0.252', 5355, 'printer', SILENCE_MS)).toBeNull();
  });

  it('are no business of other members: they hear of this host alone', async () => {
    expect(await ask(bob, ann.ipv4, 53, 'ann.warren', SILENCE_MS)).toBeNull();
    expect(addresses(await ask(bob, ann.ipv4, 5355, 'ann'))).toEqual([ann.ipv4]);
    expect(await ask(bob, ann.ipv4, 5355, bobsName, SILENCE_MS)).toBeNull();
  });

  it('are gone with the engine, kill -9 included', async () => {
    ann.up.child.kill('SIGKILL');
    await ann.up.exited;
    const { stdout } = await topology.lab.run(ann.namespace, ['ss', '-Hlnu']);
    expect(stdout).not.toMatch(/:(?:53|5353|5355)\s/);
    expect((await topology.lab.run(ann.namespace, ['ip', '-o', 'link'])).stdout).not.toContain('warren');
  });
});
