import type { DiscoveryCheck, DiscoveryView } from '../protocol/discovery.ts';
import { WarrenError } from '../protocol/errors.ts';
import type { FilterPreset } from '../protocol/filter.ts';
import type { PeerMessage } from '../protocol/peer.ts';
import type { PeerKey, RoomView } from './core/room/contract.ts';
import { Discovery } from './discovery/discovery.ts';
import { Filters } from './filter/filters.ts';
import { type PolicyResult, parsePolicy } from './filter/policy.ts';
import { isInRoom } from './lookup.ts';
import type { Members } from './members.ts';
import { namesOf } from './names/labels.ts';
import type { EngineOptions, EnginePorts } from './options.ts';
import type { DeviceEvent, DevicePort, FilesPort } from './ports.ts';

export interface ServicesOptions {
  ports: Pick<EnginePorts, 'clock' | 'lan' | 'tun' | 'names' | 'files' | 'log'>;
  options: Pick<EngineOptions, 'games' | 'filter' | 'settings'>;
  device: DevicePort;
  members: Pick<Members, 'get' | 'keyOf'>;
  room(): RoomView;
  post(work: () => void): void;
  send(peer: PeerKey, message: PeerMessage): void;
  changed(): void;
  /** The interface cannot be set up: nothing more will work. */
  failed(message: string): void;
}

/**
 * What members are to one another beside packets: the interface and its addresses, games that find each other, names, files,
 * and the filter that stands before all of it.
 */
export class Services {
  readonly filters: Filters;
  readonly #options: ServicesOptions;
  readonly #discovery: Discovery;
  /** Changes of the interface, one after the other. */
  #tunWork: Promise<void> = Promise.resolve();
  #unwatch = () => {};
  #ended = false;

  constructor(options: ServicesOptions) {
    this.#options = options;
    const { ports, device, members, room } = options;
    const { filter, games, settings } = options.options;
    this.#discovery = new Discovery({
      clock: ports.clock,
      inRoom: (ip) => isInRoom(ip, room()),
      device,
      lan: ports.lan,
      way: ports.tun.way,
      on: settings.discovery,
      games,
      configure: () => this.#configureTun(),
    });
    this.filters = new Filters({
      device,
      preset: filter?.preset ?? 'games',
      policy: filter?.policy ?? null,
      peerOf: (key) => members.get(key)?.id,
    });
  }

  start(): void {
    const { ports, options, post, send, changed } = this.#options;
    if (options.filter) this.#unwatch = options.filter.watch((result) => post(() => this.#policyRead(result)));
    ports.files?.start({ send, open: (peer, port) => this.#open(peer, port), changed });
  }

  async stop(): Promise<void> {
    this.#ended = true;
    this.#unwatch();
    this.#discovery.stop();
    await this.#tunWork;
    await this.#options.ports.names?.stop();
    await this.#options.ports.files?.stop();
  }

  /** What follows from who is in the room. */
  review(): void {
    const { ports, room, changed } = this.#options;
    const view = room();
    this.filters.review(view);
    if (view.ipv4 === null || this.#ended) return;
    const { ipv4, prefixLength, members } = view;
    const inRoom = (ip: string) => isInRoom(ip, view);
    ports.files?.room({ ipv4, members: members.filter(({ proven, blocked }) => proven && !blocked) });
    ports.names?.update({ hosts: namesOf(view), ipv4, prefixLength, inRoom, ready: this.#tunWork }, changed);
  }

  // The interface

  /** The room gave this host its addresses. */
  addressed(ipv4: string, prefixLength: number, ipv6: string): void {
    this.#discovery.addressed(ipv4, prefixLength, ipv6);
  }

  #configureTun(): void {
    const { ports, failed } = this.#options;
    const { addresses } = this.#discovery;
    this.#tunWork = this.#tunWork
      .then(() => {
        const { routes, first } = this.#discovery;
        return ports.tun.configure({ addresses, routes, first });
      })
      .then(() => this.#discovery.configured())
      .catch((error: unknown) => {
        ports.log('error', `cannot set ${addresses.join(', ')}: ${String(error)}`);
        failed(`cannot set the interface's addresses: ${String(error)}`);
      });
  }

  // Games

  setDiscovery(on: boolean): void {
    this.#discovery.set(on);
  }

  /** A packet that looks for games, of a member or (peer null) of this host. */
  discovered(event: Extract<DeviceEvent, { type: 'discovery' }>): void {
    const { members, room } = this.#options;
    const member = event.peer === null ? room().publicKey : members.keyOf(event.peer);
    if (member) this.#discovery.heard(member, event);
  }

  discovery(): DiscoveryView {
    const { members, room } = this.#options;
    return this.#discovery.view((key) => key === room().publicKey || members.get(key) !== undefined);
  }

  /** Who hears a broadcast and a multicast of this host, and how soon. */
  async checkDiscovery(): Promise<DiscoveryCheck> {
    const heard = await this.#discovery.check();
    const members = this.#options.room().members.filter(({ proven, blocked }) => proven && !blocked);
    return {
      members: members.map(({ nick, ipv4 }) => {
        const times = heard.get(ipv4 ?? '') ?? { broadcastMs: null, multicastMs: null };
        return { nick, ipv4, ...times };
      }),
    };
  }

  // Files

  /** Throws WarrenError('unsupported') where nothing could carry a file. */
  files(): FilesPort {
    const { files } = this.#options.ports;
    if (!files) throw new WarrenError('unsupported', 'files need the network interface: start without --no-tun');
    return files;
  }

  fileMessage(key: PeerKey, message: Extract<PeerMessage, { t: 'file-offer' | 'file-end' }>): void {
    const from = this.#options.room().members.find((one) => one.key === key);
    if (from && !from.blocked) this.#options.ports.files?.message(from, message);
  }

  // The filter

  setPreset(preset: FilterPreset): void {
    this.filters.setPreset(preset);
    this.#options.options.filter?.savePreset(preset);
    this.#reviewFilter();
  }

  /** Throws WarrenError('invalid') with the line of what is wrong; null takes the policy away. */
  setPolicy(text: string | null): void {
    const result = text === null ? null : parsePolicy(text);
    if (result?.ok === false)
      throw new WarrenError('invalid', `line ${result.problem.line}: ${result.problem.message}`);
    this.filters.setPolicy(result && { file: null, policy: result.policy });
    this.#options.options.filter?.savePolicy(text);
    this.#reviewFilter();
  }

  #policyRead(result: PolicyResult): void {
    const { log } = this.#options.ports;
    if (result.ok) {
      this.filters.setPolicy({ file: this.filters.view().policy?.file ?? null, policy: result.policy });
      log('info', 'the policy was read again');
    } else {
      this.filters.refuse(result.problem);
      log('warn', `policy: ${result.problem.message}`);
    }
    this.#reviewFilter();
  }

  /** A door for one member to one TCP port of this host. */
  #open(key: PeerKey, port: number): () => void {
    const close = this.filters.open(key, { action: 'accept', protocol: 'tcp', ports: [[port, port]] });
    this.#reviewFilter();
    return () => {
      close();
      if (!this.#ended) this.#reviewFilter();
    };
  }

  #reviewFilter(): void {
    const { post, room, changed } = this.#options;
    post(() => this.filters.review(room()));
    changed();
  }
}
