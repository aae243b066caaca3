/** The demo for real: three `warren up` in network namespaces, behind NATs that a user-space router plays. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Snapshot } from '../../protocol/app.ts';
import { Member, RendezvousServer } from '../lab/cli.ts';
import { startTopology, type Topology } from '../lab/topology.ts';
import {
  ACTORS,
  DIRECT_WITHIN_MS,
  FINAL_PACKETS,
  FIRST_PACKET_WITHIN_MS,
  isDirect,
  type Reach,
  type Scene,
} from './scene.ts';

/** What the lab runs here; g++ builds its router. */
const TOOLS = ['ip', 'sysctl', 'setpriv', 'ping', 'g++'];
const LOOK_MS = 100;

/** Why there can be no namespaces here, or null. */
export function namespaceProblem(): string | null {
  if (process.platform !== 'linux') return 'network namespaces are a Linux thing';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  const absent = TOOLS.filter(
    (tool) => spawnSync('sh', ['-c', `command -v ${tool}`], { env: { PATH: path } }).status !== 0,
  );
  return absent.length === 0 ? null : `${absent.join(', ')} is not installed`;
}

/** Rejects when the kernel refuses the namespaces. */
export async function openNamespaces(): Promise<Scene> {
  const topology = await startTopology({
    sites: ACTORS.map(({ nick, kind }) => ({ name: nick, nat: kind })),
    delays: { serverMs: 5, clientMs: 10 },
  });
  return new NamespaceScene(topology);
}

class NamespaceScene implements Scene {
  readonly #topology: Topology;
  readonly #directory = mkdtempSync(join(tmpdir(), 'warren-demo-'));
  readonly #members: Member[] = [];
  readonly #startedAt = new Map<string, number>();
  readonly #removeDirectory = () => rmSync(this.#directory, { recursive: true, force: true });
  #looking: NodeJS.Timeout | null = null;

  constructor(topology: Topology) {
    this.#topology = topology;
    // The lab ends its namespaces and processes however this process ends; the directory goes the same way.
    process.once('exit', this.#removeDirectory);
  }

  async play(changed: (nick: string, snapshot: Snapshot, at: number) => void): Promise<Reach[]> {
    const { lab, server } = this.#topology;
    const rendezvous = await RendezvousServer.start(lab, server);
    const begun = performance.now();
    this.#lookAt((nick, snapshot) => changed(nick, snapshot, performance.now() - begun));
    const meetings: Promise<Reach>[] = [];
    for (const { nick } of ACTORS) {
      const newcomer = await this.#join(nick, rendezvous.url);
      for (const other of this.#members) meetings.push(this.#meet(newcomer, other), this.#meet(other, newcomer));
      this.#members.push(newcomer);
      await newcomer.joined();
    }
    const reached = (await Promise.all(meetings)).toSorted((a, b) =>
      `${a.from} ${a.to}`.localeCompare(`${b.from} ${b.to}`),
    );
    for (const reach of reached) await this.#settle(reach);
    return reached;
  }

  async close(): Promise<void> {
    if (this.#looking !== null) clearInterval(this.#looking);
    await Promise.all(this.#members.map((member) => member.stop()));
    await this.#topology.close();
    this.#removeDirectory();
    process.off('exit', this.#removeDirectory);
  }

  async #join(nick: string, url: string): Promise<Member> {
    this.#startedAt.set(nick, performance.now());
    return await Member.start(this.#topology.lab, this.#topology.site(nick).hosts[0]!.namespace, {
      nick,
      room: 'friday night',
      password: 'correct horse battery staple',
      servers: [url],
      create: this.#members.length === 0,
      stateDir: join(this.#directory, nick),
    });
  }

  /** From the start of the later one to the first packet through the tunnel, and to a direct path. */
  async #meet(from: Member, to: Member): Promise<Reach> {
    const begun = Math.max(this.#startedAt.get(from.nick) ?? 0, this.#startedAt.get(to.nick) ?? 0);
    const reach: Reach = {
      from: from.nick,
      to: to.nick,
      firstPacketMs: null,
      directMs: null,
      path: null,
      rttMs: null,
      sent: 0,
      received: 0,
    };
    const seen = (snapshot: Snapshot) => snapshot.peers.find(({ nick }) => nick === to.nick);
    await from.waitFor(`${to.nick} is there`, (snapshot) => {
      const peer = seen(snapshot);
      return peer?.state === 'connected' && peer.ipv4 !== null;
    });
    const address = from.peer(to.nick)?.ipv4 ?? '';
    const direct = from
      .waitFor(`${to.nick} direct`, (snapshot) => isDirect(seen(snapshot)?.path), DIRECT_WITHIN_MS)
      .then(() => performance.now() - begun)
      .catch(() => null);
    // With both -c and -w, ping goes on until that many answers have come.
    const deadline = String(FIRST_PACKET_WITHIN_MS / 1_000);
    const first = ['ping', '-n', '-q', '-c', '1', '-i', '0.1', '-w', deadline, address];
    const { code } = await this.#topology.lab.run(from.namespace, first);
    if (code === 0) reach.firstPacketMs = performance.now() - begun;
    reach.directMs = await direct;
    return reach;
  }

  async #settle(reach: Reach): Promise<void> {
    const from = this.#members.find(({ nick }) => nick === reach.from);
    const peer = from?.peer(reach.to);
    if (!from || !peer?.ipv4) return;
    reach.sent = FINAL_PACKETS;
    reach.received = await from.kernelPing(peer.ipv4, FINAL_PACKETS);
    const path = from.peer(reach.to)?.path ?? null;
    reach.path = path?.kind ?? null;
    reach.rttMs = path?.rttMs ?? null;
  }

  #lookAt(changed: (nick: string, snapshot: Snapshot) => void): void {
    const seen = new Map<string, Snapshot>();
    this.#looking = setInterval(() => {
      for (const { nick, snapshot } of this.#members) {
        if (snapshot === null || seen.get(nick) === snapshot) continue;
        seen.set(nick, snapshot);
        changed(nick, snapshot);
      }
    }, LOOK_MS);
  }
}
