/** What an engine is given: the world as ports, and what the user asked for. */
import type { SettingName, Snapshot } from '../protocol/app.ts';
import type { FilterPreset } from '../protocol/filter.ts';
import type { Primitives } from './core/crypto/primitives.ts';
import type { GameEntry } from './core/discovery/games.ts';
import type { StunServer } from './core/nat/contract.ts';
import type { LoadedPolicy } from './filter/filters.ts';
import type { PolicyResult } from './filter/policy.ts';
import type {
  ClockPort,
  CryptoPort,
  DevicePort,
  FilesPort,
  InterfacesPort,
  LanPort,
  NamesPort,
  Nat64Port,
  PortMappingPort,
  RandomPort,
  RendezvousPort,
  StorePort,
  TunPort,
} from './ports.ts';

export interface EnginePorts {
  clock: ClockPort;
  random: RandomPort;
  rendezvous: RendezvousPort;
  crypto: CryptoPort;
  /** Absent: in JavaScript. */
  primitives?: Primitives;
  interfaces: InterfacesPort;
  /** Null: no router can be asked here. */
  mapping: PortMappingPort | null;
  /** Null: IPv4 is reached over IPv4 or not at all. */
  nat64: Nat64Port | null;
  store: StorePort;
  /** Absent: nobody here asks for names (no interface, the simulator). */
  names?: NamesPort;
  /** Absent: as above. */
  files?: FilesPort;
  tun: TunPort;
  /** Null: nothing of this host's network is touched. */
  lan: LanPort | null;
  /** The device for this room's private key. */
  createDevice(privateKey: Uint8Array): DevicePort;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
}

export interface EngineOptions {
  room: string;
  password: string | null;
  nick: string;
  machineKey: Uint8Array;
  servers: string[];
  create: boolean;
  ipv4: string | null;
  stun: StunServer[];
  /** Endpoints that the user knows to lead here. */
  staticCandidates: { ip: string; port: number }[];
  /** Games that are told by their discovery packets. */
  games: readonly GameEntry[];
  settings: Snapshot['settings'];
  /** Keeps a changed setting for the next run. */
  saveSetting(setting: SettingName, on: boolean): void;
  /** Default: the preset `games`, kept nowhere. */
  filter?: FilterSettings;
  scryptN?: number;
}

/** Who may reach this host, and where that is kept. */
export interface FilterSettings {
  preset: FilterPreset;
  policy: LoadedPolicy | null;
  /** Calls back when the policy's file changes; the result stops it. */
  watch(changed: (result: PolicyResult) => void): () => void;
  savePreset(preset: FilterPreset): void;
  /** Text of a policy for the next run; null: none. */
  savePolicy(text: string | null): void;
}
